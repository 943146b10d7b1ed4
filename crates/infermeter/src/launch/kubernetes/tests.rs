//! Manifests of launches: one as a whole, and what would not do in a cluster.

use super::*;
use crate::commands::COMMANDS;
use infermeter_core::units::Span;

const RUN: [&str; 6] = [
    "run",
    "http://vllm.serving:8000",
    "--rate",
    "400",
    "--duration",
    "60s",
];

fn launch() -> LaunchArgs {
    LaunchArgs {
        ranks: Some(8),
        ..LaunchArgs::defaults()
    }
}

fn asked() -> KubernetesArgs {
    KubernetesArgs {
        image: "registry.example/infermeter:0.1.0".to_owned(),
        storage_claim: Some("shared-runs".to_owned()),
        ..KubernetesArgs::defaults()
    }
}

fn checked(more: &[&str]) -> Checked {
    let words: Vec<String> = RUN.iter().chain(more).map(|w| (*w).to_owned()).collect();
    Checked::of(&words, 8, &COMMANDS).expect("sound")
}

/// The documents, read back.
fn read(text: &str) -> Vec<Value> {
    let documents = text.split("---\n");
    documents
        .map(|document| serde_saphyr::from_str(document).expect(document))
        .collect()
}

/// The pod that the job makes.
fn pod_of(text: &str) -> Value {
    read(text)[2]["spec"]["template"]["spec"].take()
}

#[test]
fn manifests_of_a_launch() {
    let launch = LaunchArgs {
        time: Some(Span::seconds(1_800)),
        ..launch()
    };
    let asked = KubernetesArgs {
        namespace: Some("benchmarks".to_owned()),
        secret: Some("llm-key".to_owned()),
        ..asked()
    };
    let ranks = checked(&["--slo", "ttft.p99<500ms", "--without-missing"]);
    let text = manifests(&launch, &asked, &ranks).expect("manifests");
    insta::assert_snapshot!(text, @r##"
    # start:        kubectl --namespace benchmarks create -f THIS_FILE
    # the report:   kubectl --namespace benchmarks logs --follow -l batch.kubernetes.io/job-name=infermeter,batch.kubernetes.io/job-completion-index=0 --tail=-1
    # the record:   runs/UID on the volume of shared-runs, UID being $(kubectl --namespace benchmarks get job infermeter -o 'jsonpath={.metadata.uid}')
    # end:          kubectl --namespace benchmarks delete job,service,configmap infermeter
    apiVersion: v1
    kind: Service
    metadata:
      name: infermeter
      namespace: benchmarks
      labels:
        app.kubernetes.io/instance: infermeter
        app.kubernetes.io/name: infermeter
    spec:
      clusterIP: None
      publishNotReadyAddresses: true
      selector:
        app.kubernetes.io/instance: infermeter
        app.kubernetes.io/name: infermeter
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: infermeter
      namespace: benchmarks
      labels:
        app.kubernetes.io/instance: infermeter
        app.kubernetes.io/name: infermeter
    immutable: true
    data:
      plan.toml: |
        target = "http://vllm.serving:8000"
        rate = 400.0
        duration = "1m"
        slo = ["ttft.p99<500ms"]
    ---
    apiVersion: batch/v1
    kind: Job
    metadata:
      name: infermeter
      namespace: benchmarks
      labels:
        app.kubernetes.io/instance: infermeter
        app.kubernetes.io/name: infermeter
    spec:
      completionMode: Indexed
      completions: 8
      parallelism: 8
      backoffLimitPerIndex: 0
      activeDeadlineSeconds: 1800
      template:
        metadata:
          labels:
            app.kubernetes.io/instance: infermeter
            app.kubernetes.io/name: infermeter
        spec:
          restartPolicy: Never
          subdomain: infermeter
          automountServiceAccountToken: false
          enableServiceLinks: false
          terminationGracePeriodSeconds: 120
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            fsGroup: 65532
            fsGroupChangePolicy: OnRootMismatch
            seccompProfile:
              type: RuntimeDefault
          topologySpreadConstraints:
            - maxSkew: 1
              topologyKey: kubernetes.io/hostname
              whenUnsatisfiable: ScheduleAnyway
              labelSelector:
                matchLabels:
                  app.kubernetes.io/instance: infermeter
                  app.kubernetes.io/name: infermeter
          containers:
            - name: rank
              image: "registry.example/infermeter:0.1.0"
              args:
                - run
                - "--config=/etc/infermeter/plan.toml"
                - "--rendezvous=/shared/meetings/$(INFERMETER_LAUNCH)"
                - "--out=/shared/runs/$(INFERMETER_LAUNCH)"
                - "--without-missing"
              env:
                - name: INFERMETER_RANKS
                  value: "8"
                - name: INFERMETER_LAUNCH
                  valueFrom:
                    fieldRef:
                      fieldPath: "metadata.labels['batch.kubernetes.io/controller-uid']"
              envFrom:
                - secretRef:
                    name: llm-key
              workingDir: /work
              resources:
                requests:
                  cpu: "2"
                  memory: "1Gi"
                limits:
                  cpu: "2"
                  memory: "1Gi"
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop:
                    - ALL
              volumeMounts:
                - name: plan
                  mountPath: /etc/infermeter
                  readOnly: true
                - name: work
                  mountPath: /work
                - name: shared
                  mountPath: /shared
          volumes:
            - name: plan
              configMap:
                name: infermeter
            - name: work
              emptyDir: {}
            - name: shared
              persistentVolumeClaim:
                claimName: shared-runs
    "##);
}

#[test]
fn the_plan_in_the_map_is_the_plan() {
    for more in [
        &[
            "--extra-body",
            "{\"a\": {\"b\": [1, \"x\"]}}",
            "--label",
            "it's \"one\"\nof two",
        ][..],
        &["--profile", "production"],
    ] {
        let ranks = checked(more);
        let text = manifests(&launch(), &asked(), &ranks).expect("manifests");
        let map = &read(&text)[1];
        let plan = map["data"]["plan.toml"].as_str().expect("a plan");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(PLAN_FILE);
        std::fs::write(&path, plan).expect("written");
        let back = crate::layers::resolve(&crate::cli::Given::default(), Some(&path));
        assert_eq!(back.expect(plan).plan, ranks.plan, "{plan}");
    }
}

#[test]
fn a_bucket_is_met_at_without_a_volume() {
    let asked = KubernetesArgs {
        storage_claim: None,
        rendezvous: Some("s3://bucket/a$b".to_owned()),
        service_account: Some("writer".to_owned()),
        ..asked()
    };
    let text = manifests(&launch(), &asked, &checked(&[])).expect("manifests");
    let pod = pod_of(&text);
    assert_eq!(pod["volumes"].as_array().map(Vec::len), Some(2));
    assert_eq!(pod["serviceAccountName"], "writer");
    // Kubernetes takes two dollars for one.
    let place = "--rendezvous=s3://bucket/a$$b/$(INFERMETER_LAUNCH)";
    assert_eq!(pod["containers"][0]["args"][2], place);
    assert!(text.contains("# the record:   copy s3://bucket/a$b/$(kubectl get job"));
    let job = &read(&text)[2];
    let time = &job["spec"]["activeDeadlineSeconds"];
    assert!(time.is_null() && job["metadata"]["namespace"].is_null());
}

/// What somebody asks for in place of what would do.
type Change = fn(&mut LaunchArgs, &mut KubernetesArgs);

#[test]
fn what_a_cluster_would_refuse_is_refused_here() {
    let refusals: [(Change, &[&str], &str); 8] = [
        (
            |launch, _| launch.name = "Nightly".to_owned(),
            &[],
            "--name: `Nightly`",
        ),
        (
            |launch, _| launch.time = Some(Span::seconds(60)),
            &[],
            "--time 1m",
        ),
        (
            |_, asked| asked.secret = Some("a b".to_owned()),
            &[],
            "--secret: `a b`",
        ),
        (|_, asked| asked.memory = "lots".to_owned(), &[], "--memory"),
        (|_, asked| asked.image = "a b".to_owned(), &[], "--image"),
        (
            |_, asked| asked.storage_claim = None,
            &[],
            "where do the ranks meet?",
        ),
        (
            |_, asked| {
                asked.storage_claim = None;
                asked.rendezvous = Some("/shared".to_owned());
            },
            &[],
            "pods share no directory",
        ),
        (
            |_, _| (),
            &["--header", "authorization: Bearer x"],
            "--header may hold a secret",
        ),
    ];
    for (change, more, said) in refusals {
        let (mut launch, mut asked) = (launch(), asked());
        change(&mut launch, &mut asked);
        let error = manifests(&launch, &asked, &checked(more)).expect_err(said);
        assert!(format!("{error:#}").contains(said), "{error:#}");
    }
}

#[test]
fn what_pods_need_is_said() {
    assert!(notes(&asked(), &checked(&[])).is_empty());
    let words = ["run", "http://h:8000", "--trace", "/shared/t.jsonl"];
    let words = words.map(str::to_owned);
    let ranks = Checked::of(&words, 8, &COMMANDS).expect("sound");
    let bucket = KubernetesArgs {
        rendezvous: Some("gs://bucket/a".to_owned()),
        ..asked()
    };
    let said = notes(&bucket, &ranks);
    let [program, files] = &said[..] else {
        panic!("{said:?}");
    };
    assert!(
        program.contains("built with --features object-store"),
        "{program}"
    );
    assert!(
        files.starts_with("--trace /shared/t.jsonl is read inside"),
        "{files}"
    );
}
