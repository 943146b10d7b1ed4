//! Words by which engines and proxies are known.
//!
//! The names printed are the ones people use. Words that many programs share (uvicorn, openai) are not
//! here: they name nobody.

/// infermeter's own.
pub(crate) const SIMULATOR: &str = "infermeter's simulator";

/// Words of headers and fingerprints, in lower case, and the engine.
pub(super) const ENGINES: [(&str, &str); 16] = [
    ("infermeter-mock", SIMULATOR),
    ("vllm", "vLLM"),
    ("sglang", "SGLang"),
    ("llama.cpp", "llama.cpp"),
    ("llamacpp", "llama.cpp"),
    ("llama-cpp", "llama.cpp"),
    ("text-generation-inference", "TGI"),
    ("tensorrt", "TensorRT-LLM"),
    ("trtllm", "TensorRT-LLM"),
    ("ollama", "Ollama"),
    ("lmdeploy", "LMDeploy"),
    ("mlx", "MLX LM"),
    ("mlc", "MLC LLM"),
    ("koboldcpp", "KoboldCpp"),
    ("aphrodite", "Aphrodite"),
    ("applegpu", "MLX LM"),
];

/// Whole values of `owned_by`, and the engine that writes them.
pub(super) const OWNERS: [(&str, &str); 13] = [
    ("vllm", "vLLM"),
    ("sglang", "SGLang"),
    ("llamacpp", "llama.cpp"),
    ("tensorrt_llm", "TensorRT-LLM"),
    ("tensorrt-llm", "TensorRT-LLM"),
    // Ollama writes the namespace of its library of models.
    ("library", "Ollama"),
    ("ollama", "Ollama"),
    ("lmdeploy", "LMDeploy"),
    ("mlc-llm", "MLC LLM"),
    ("koboldcpp", "KoboldCpp"),
    ("tabbyapi", "TabbyAPI"),
    ("pygmalionai", "Aphrodite"),
    ("infermeter-mock", SIMULATOR),
];

/// Words of `server` and `via`, in lower case, and the proxy.
pub(super) const PROXIES: [(&str, &str); 12] = [
    ("nginx", "nginx"),
    ("openresty", "OpenResty"),
    ("envoy", "Envoy"),
    ("cloudflare", "Cloudflare"),
    ("caddy", "Caddy"),
    ("traefik", "Traefik"),
    ("haproxy", "HAProxy"),
    ("kong", "Kong"),
    ("apisix", "APISIX"),
    ("litellm", "LiteLLM"),
    ("awselb", "AWS load balancer"),
    ("google frontend", "Google Frontend"),
];

/// Headers that only one proxy sets.
pub(super) const PROXY_HEADERS: [(&str, &str); 6] = [
    ("x-litellm-version", "LiteLLM"),
    ("x-litellm-call-id", "LiteLLM"),
    ("x-envoy-upstream-service-time", "Envoy"),
    ("x-kong-proxy-latency", "Kong"),
    ("cf-ray", "Cloudflare"),
    ("x-portkey-trace-id", "Portkey"),
];

/// A beginning of a series' name, the engine and the proxy that it names.
type Page = (&'static str, Option<&'static str>, Option<&'static str>);

/// Beginnings of lines of metrics pages.
pub(super) const PAGES: &[Page] = &[
    ("vllm:", Some("vLLM"), None),
    ("sglang:", Some("SGLang"), None),
    ("sglang_", Some("SGLang"), None),
    ("llamacpp:", Some("llama.cpp"), None),
    ("tgi_", Some("TGI"), None),
    ("trtllm_", Some("TensorRT-LLM"), None),
    ("nv_trt_llm_", Some("TensorRT-LLM"), None),
    ("lmdeploy:", Some("LMDeploy"), None),
    ("aphrodite:", Some("Aphrodite"), None),
    // Triton serves engines; it is none.
    ("nv_inference_", None, Some("Triton")),
    ("litellm_", None, Some("LiteLLM")),
    ("sgl_router_", None, Some("SGLang router")),
    ("smg_", None, Some("SGLang router")),
    ("dynamo_", None, Some("Dynamo")),
    ("envoy_", None, Some("Envoy")),
    ("nginx_", None, Some("nginx")),
    ("haproxy_", None, Some("HAProxy")),
];

/// The first name whose word stands in the text.
pub(super) fn named(text: &str, names: &[(&str, &'static str)]) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let row = names.iter().find(|(word, _)| text.contains(word));
    row.map(|(_, name)| *name)
}
