//! Tests of `slipway render` without a registry.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use tempfile::TempDir;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const DEPLOYMENT: &str = "\
# the app
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - image: app # any tag
        - {image: 'h.example/sidecar:1.0'}
";
const JOB: &str = "---\nkind: Job\nspec: {template: {spec: {containers: [{image: 'app:1'}]}}}";

struct Fixture(TempDir);

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let file = fixture.0.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        fixture
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slipway"));
        command.arg("render").args(arguments);
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn render(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    fn error(&self, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        assert!(!status.success() && stdout.is_empty(), "{}", text(&stdout));
        let error = text(&stderr);
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn metadata(names: &str) -> String {
    json!({"containerimage.digest": DIGEST, "image.name": names}).to_string()
}

#[test]
fn images_become_digests_in_all_manifests_of_a_directory() {
    let fixture = Fixture::new(&[
        ("deploy/b.yml", JOB),
        ("deploy/a.yaml", DEPLOYMENT),
        ("deploy/README.md", "image: app"),
        ("deploy/sub/c.yaml", JOB),
    ]);
    let image = format!("app=r.example:5000/app@{DIGEST}");
    let expected = format!("{DEPLOYMENT}{JOB}")
        .replace(
            "image: app #",
            &format!("image: r.example:5000/app@{DIGEST} #"),
        )
        .replace("'app:1'", &format!("'r.example:5000/app@{DIGEST}'"));
    assert_eq!(fixture.render(&["deploy", "--image", &image]), expected);

    // A reference with a digest stays as it is.
    let image = format!("app=r.example/app:1.0@{DIGEST}");
    let rendered = fixture.render(&["deploy/a.yaml", "--image", &image]);
    assert!(rendered.contains(&format!("image: r.example/app:1.0@{DIGEST} # any tag")));
}

#[test]
fn digests_come_from_metadata_files() {
    let names = "h.example/sidecar:2.0,r.example/app:dev";
    let fixture = Fixture::new(&[("a.yaml", DEPLOYMENT), ("image.json", &metadata(names))]);
    // The manifest names the repository that was built for.
    let expected = DEPLOYMENT.replace("sidecar:1.0", &format!("sidecar@{DIGEST}"));
    let metadata = ["a.yaml", "--metadata-file", "image.json"];
    assert_eq!(fixture.render(&metadata), expected);
    // The manifest names something else.
    let image = ["--image", "app=r.example/app:dev"];
    let expected = expected.replace("image: app", &format!("image: r.example/app@{DIGEST}"));
    assert_eq!(fixture.render(&[&metadata[..], &image].concat()), expected);
}

#[test]
fn compose_files_come_from_standard_input() {
    let fixture = Fixture::new(&[]);
    let image = format!("app=r.example/app@{DIGEST}");
    let mut command = fixture.command(&["-", "--image", &image]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let compose = "services:\n  app:\n    image: app:${TAG:-dev}\n";
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(compose.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let expected = format!("services:\n  app:\n    image: r.example/app@{DIGEST}\n");
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn kustomize_format_is_a_component() {
    let fixture = Fixture::new(&[("a.yaml", DEPLOYMENT)]);
    let image = format!("app=r.example/app@{DIGEST}");
    let rendered = fixture.render(&["a.yaml", "--image", &image, "--format", "kustomize"]);
    let expected = format!(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n  - name: app\n    \
         newName: r.example/app\n    digest: {DIGEST}\n"
    );
    assert_eq!(rendered, expected);
}

#[test]
fn kustomizations_need_kubectl_or_kustomize() {
    let fixture = Fixture::new(&[
        ("kustomization.yaml", "resources: [a.yaml]"),
        ("a.yaml", JOB),
    ]);
    let image = format!("app=r.example/app@{DIGEST}");
    let mut command = fixture.command(&[".", "--image", &image]);
    let output = command.env("PATH", fixture.0.path()).output().unwrap();
    assert_eq!(
        text(&output.stderr),
        "error: . is a kustomization, and there is neither kubectl nor kustomize; install one of them\n"
    );
}

#[test]
fn mistakes_are_errors_of_one_line() {
    let fixture = Fixture::new(&[
        ("a.yaml", DEPLOYMENT),
        ("broken.yaml", "containers: [\n"),
        ("folded.yaml", "containers:\n- image: >-\n    app\n"),
        ("empty/README.md", ""),
        ("none.yaml", "kind: ConfigMap\n"),
        ("unnamed.json", &metadata("")),
        ("other.json", &metadata("r.example/other:1")),
        (
            "again.json",
            &metadata("r.example/other:2").replace("e3b0", "0000"),
        ),
        ("text.json", "text"),
    ]);
    let app = format!("app=r.example/app@{DIGEST}");
    for (arguments, expected) in [
        (
            vec!["a.yaml", "--image", &app.replace("app=", "api=")],
            "a.yaml uses no image api; it uses app, h.example/sidecar:1.0",
        ),
        (
            vec!["none.yaml", "--image", &app],
            "none.yaml uses no image app; it uses none",
        ),
        (
            vec!["a.yaml", "--image", &app.replace("app=", "app:1=")],
            "--image app:1: it stands for every tag; write app=…",
        ),
        (
            vec!["a.yaml", "--image", &app, "--image", &app],
            "--image app is given twice",
        ),
        (
            vec!["a.yaml", "--image", "app=UPPER"],
            "app: \"UPPER\" is not the name of an image",
        ),
        (vec!["broken.yaml", "--image", &app], "broken.yaml: line "),
        (
            vec!["folded.yaml", "--image", &app],
            "folded.yaml: line 3: the image \"app\" must be written on one line",
        ),
        (
            vec!["empty", "--image", &app],
            "empty has no .yaml, .yml or .json file",
        ),
        (
            vec!["missing", "--image", &app],
            "missing cannot be read: No such file",
        ),
        (
            vec!["a.yaml", "--metadata-file", "other.json"],
            "a.yaml uses no image that other.json names; it uses app, h.example/sidecar:1.0",
        ),
        (
            vec!["a.yaml", "--metadata-file", "unnamed.json"],
            "unnamed.json has no name of an image; build it with --tag",
        ),
        (
            vec!["a.yaml", "--metadata-file", "text.json"],
            "text.json is not a file that slipway build --metadata-file wrote",
        ),
        (
            vec![
                "a.yaml",
                "--metadata-file",
                "other.json",
                "--metadata-file",
                "again.json",
            ],
            "again.json and another metadata file have different images of r.example/other",
        ),
    ] {
        let error = fixture.error(&arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}
