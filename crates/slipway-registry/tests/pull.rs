//! Pulls from registries as they are.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod registry;
mod scene;

use registry::{Fault, Registry};
use scene::{Scene, client};
use slipway_oci::{Digest, Layout};
use slipway_registry::{Contents, Error, Reference, Result, pull};

struct Pushed {
    scene: Scene,
    registry: Registry,
}

impl Pushed {
    fn new() -> Self {
        let (scene, registry) = (Scene::new(), Registry::start());
        scene
            .push(&client(), &[format!("{}/app:v1", registry.host())])
            .unwrap();
        registry.requests();
        Self { scene, registry }
    }

    /// Pulls `app` and what follows it, such as `:v1`.
    fn pull(&self, rest: &str, contents: Contents) -> Result<Layout> {
        let reference: Reference = format!("{}/app{rest}", self.registry.host())
            .parse()
            .unwrap();
        let to = self.scene.directory.path().join("pulled");
        let pulled = pull(&client(), &reference, contents, &to);
        assert_eq!(to.exists(), pulled.is_ok());
        let left = self.scene.directory.path().read_dir().unwrap().count();
        assert_eq!(left, 1 + usize::from(pulled.is_ok()));
        pulled
    }

    fn error(&self, rest: &str) -> Error {
        self.pull(rest, Contents::Everything).unwrap_err()
    }
}

#[test]
fn what_was_pushed_comes_back() {
    let pushed = Pushed::new();
    let pulled = pushed.pull(":v1", Contents::Everything).unwrap();
    pulled.verify().unwrap();
    assert_eq!(pulled.top().unwrap().digest, pushed.scene.top().digest);
    assert_eq!(
        pulled.images().unwrap(),
        pushed.scene.layout.images().unwrap()
    );
}

#[test]
fn documents_come_without_layers() {
    let pushed = Pushed::new();
    let digest = pushed.scene.top().digest;
    let pulled = pushed
        .pull(&format!("@{digest}"), Contents::Documents)
        .unwrap();
    let images = pulled.images().unwrap();
    assert_eq!(images, pushed.scene.layout.images().unwrap());
    for (layer, _) in images[0].layers() {
        assert!(!pulled.blob_path(layer).exists());
    }
    // The ping, three manifests, two configs.
    assert_eq!(pushed.registry.requests().len(), 6);
}

#[test]
fn a_download_that_is_cut_goes_on_from_where_it_was() {
    let pushed = Pushed::new();
    let layer = pushed.scene.layout.images().unwrap()[0]
        .layers()
        .next()
        .unwrap()
        .0
        .clone();
    let blob = format!("GET /v2/app/blobs/{}", layer.digest);
    pushed.registry.fail(
        &blob,
        [
            Fault::CutAnswer(100_000),
            Fault::status(503),
            Fault::CutAnswer(0),
        ],
    );
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        [Fault::CutAnswer(9), Fault::status(500)],
    );
    pushed
        .pull(":v1", Contents::Everything)
        .unwrap()
        .verify()
        .unwrap();
    let requests = pushed.registry.take();
    let ranges: Vec<&String> = requests
        .iter()
        .filter_map(|it| it.headers.get("range"))
        .collect();
    assert_eq!(ranges, ["bytes=100000-"; 3]);
}

#[test]
fn what_is_not_what_its_digest_says_is_refused() {
    let pushed = Pushed::new();
    let lie = Fault::Header("Docker-Content-Digest", Digest::of(b"other").to_string());
    pushed.registry.fail("GET /v2/app/manifests/v1", [lie]);
    let error = pushed.error(":v1");
    assert!(matches!(error, Error::OtherDigest { .. }), "{error}");

    let other = Fault::Body(br#"{"manifests":[]}"#.to_vec());
    let by_digest = format!("@{}", pushed.scene.top().digest);
    pushed
        .registry
        .fail("GET /v2/app/manifests/sha256:", [other.clone()]);
    let error = pushed.error(&by_digest);
    assert!(matches!(error, Error::OtherDigest { .. }), "{error}");

    pushed.registry.fail("GET /v2/app/blobs/", [other]);
    let error = pushed.error(":v1");
    assert!(error.to_string().contains("has the digest"), "{error}");
}

#[test]
fn a_manifest_without_an_end_is_not_read_to_its_end() {
    let pushed = Pushed::new();
    pushed
        .registry
        .fail("GET /v2/app/manifests/v1", [Fault::Endless]);
    let error = pushed.error(":v1");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        [Fault::Header("Content-Length", "99999999999".into())],
    );
    let error = pushed.error(":v1");
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn a_manifest_that_is_sent_as_another_kind_is_refused() {
    let pushed = Pushed::new();
    let docker = "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8";
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        [Fault::Header("Content-Type", docker.into())],
    );
    let error = pushed.error(":v1");
    assert!(error.to_string().contains("what names it says"), "{error}");
}

#[test]
fn what_is_not_there_and_what_is_no_manifest_is_named() {
    let pushed = Pushed::new();
    let error = pushed.error(":v2");
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("/app:v2 is not there (MANIFEST_UNKNOWN"),
        "{error}"
    );
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        [Fault::Answer(
            200,
            vec![("Content-Type", "text/html".into())],
            "<html>".into(),
        )],
    );
    let error = pushed.error(":v1");
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn redirects_that_lead_on_and_on_come_to_an_end() {
    let pushed = Pushed::new();
    let to = vec![("Location", "v1".to_owned())];
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        vec![Fault::Answer(307, to, String::new()); 9],
    );
    let error = pushed.error(":v1");
    assert!(error.to_string().contains("redirects more than"), "{error}");
}
