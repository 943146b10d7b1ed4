//! Members of a dataset's requests beside their texts: which are sent as they stand, and why others
//! are not.
//!
//! It reads no values. Invariant: every member of every row has one fate, and all but those that are
//! sent are named in the facts.

use infermeter_core::environment::Fate;
use infermeter_core::plan::Members;
use std::collections::BTreeSet;

/// Beginning of the name of a message's member.
pub(crate) const OF_MESSAGE: &str = "messages[].";

/// What a run's requests bind: length, form of the answer, and what the probes found out.
const OURS: [&str; 7] = [
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "min_tokens",
    "ignore_eos",
];

/// Members that both APIs take, those of vLLM, SGLang, TGI and llama.cpp among them.
const BOTH: [&str; 61] = [
    "allowed_token_ids",
    "bad_words",
    "best_of",
    "cache_prompt",
    "cache_salt",
    "dry_multiplier",
    "ebnf",
    "frequency_penalty",
    "grammar",
    "guided_choice",
    "guided_decoding_backend",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "id_slot",
    "include_stop_str_in_output",
    "json_schema",
    "kv_transfer_params",
    "length_penalty",
    "logit_bias",
    "logits_processors",
    "logprobs",
    "lora_path",
    "metadata",
    "min_p",
    "mirostat",
    "mirostat_eta",
    "mirostat_tau",
    "n",
    "n_probs",
    "presence_penalty",
    "priority",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_logprobs",
    "regex",
    "repeat_penalty",
    "repetition_penalty",
    "response_format",
    "return_tokens_as_token_ids",
    "safety_identifier",
    "samplers",
    "seed",
    "service_tier",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop",
    "stop_regex",
    "stop_token_ids",
    "structured_outputs",
    "suffix",
    "echo",
    "temperature",
    "top_k",
    "top_p",
    "truncate_prompt_tokens",
    "typical_p",
    "use_beam_search",
    "user",
    "vllm_xargs",
    "xtc_probability",
];

/// Members that the chat API alone takes.
const CHAT: [&str; 25] = [
    "add_generation_prompt",
    "add_special_tokens",
    "audio",
    "chat_template",
    "chat_template_kwargs",
    "continue_final_message",
    "documents",
    "enable_thinking",
    "function_call",
    "functions",
    "mm_processor_kwargs",
    "modalities",
    "parallel_tool_calls",
    "prediction",
    "reasoning",
    "reasoning_effort",
    "separate_reasoning",
    "store",
    "thinking",
    "tool_choice",
    "tools",
    "top_logprobs",
    "verbosity",
    "web_search_options",
    "reasoning_format",
];

/// Members of a chat message beside its role and its content.
const MESSAGE: [&str; 10] = [
    "audio",
    "function_call",
    "name",
    "partial",
    "prefix",
    "reasoning",
    "reasoning_content",
    "refusal",
    "tool_call_id",
    "tool_calls",
];

/// Which members are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberRule {
    /// What the API knows that requests go to.
    pub known: Members,
    /// Members that flags set.
    pub flags: BTreeSet<String>,
}

impl MemberRule {
    /// What becomes of a member with this name, `messages[].NAME` for one of a message.
    pub fn fate(&self, name: &str) -> Fate {
        if let Some(name) = name.strip_prefix(OF_MESSAGE) {
            return match (MESSAGE.contains(&name), self.known) {
                (false, _) => Fate::Unknown,
                (true, Members::Chat) => Fate::Sent,
                (true, Members::Completions | Members::Other) => Fate::OtherApi,
            };
        }
        let (both, chat) = (BOTH.contains(&name), CHAT.contains(&name));
        match self.known {
            _ if OURS.contains(&name) => Fate::Ours,
            _ if self.flags.contains(name) => Fate::Flag,
            _ if !both && !chat => Fate::Unknown,
            Members::Other => Fate::OtherApi,
            Members::Completions if chat => Fate::OtherApi,
            Members::Chat | Members::Completions => Fate::Sent,
        }
    }
}

/// A member of a chat or completions request that a dataset may bring.
pub fn is_request_member(name: &str) -> bool {
    MemberRule::default().fate(name) == Fate::Sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_member_has_one_fate() {
        let chat = MemberRule::default();
        let completions = MemberRule {
            known: Members::Completions,
            flags: BTreeSet::from(["temperature".to_owned()]),
        };
        for (name, in_chat, in_completions) in [
            ("tools", Fate::Sent, Fate::OtherApi),
            ("temperature", Fate::Sent, Fate::Flag),
            ("stop", Fate::Sent, Fate::Sent),
            ("model", Fate::Ours, Fate::Ours),
            ("source", Fate::Unknown, Fate::Unknown),
            ("messages[].tool_calls", Fate::Sent, Fate::OtherApi),
            ("messages[].weight", Fate::Unknown, Fate::Unknown),
        ] {
            assert_eq!(chat.fate(name), in_chat, "{name}");
            assert_eq!(completions.fate(name), in_completions, "{name}");
        }
    }
}
