//! Pulls from registries with and without faults.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]

mod fixture;
mod registry;

use fixture::{Fixture, client};
use registry::{Fault, Registry};
use slipway_oci::{Digest, Layout};
use slipway_progress::Silent;
use slipway_registry::{Contents, Error, Reference, Result, pull};

struct Pushed {
    fixture: Fixture,
    registry: Registry,
}

impl Pushed {
    fn new() -> Self {
        let (fixture, registry) = (Fixture::new(), Registry::start());
        fixture
            .push(&client(), &[format!("{}/app:v1", registry.host())])
            .unwrap();
        registry.requests();
        Self { fixture, registry }
    }

    /// Pulls `app` with a suffix such as `:v1`.
    fn pull(&self, rest: &str, contents: Contents) -> Result<Layout> {
        let reference: Reference = format!("{}/app{rest}", self.registry.host())
            .parse()
            .unwrap();
        let to = self.fixture.directory.path().join("pulled");
        let pulled = pull(&client(), &reference, contents, &to, &Silent);
        assert_eq!(to.exists(), pulled.is_ok());
        let left = self.fixture.directory.path().read_dir().unwrap().count();
        assert_eq!(left, 1 + usize::from(pulled.is_ok()));
        pulled
    }

    fn error(&self, rest: &str) -> Error {
        self.pull(rest, Contents::Everything).unwrap_err()
    }
}

#[test]
fn pulls_what_was_pushed() {
    let pushed = Pushed::new();
    let pulled = pushed.pull(":v1", Contents::Everything).unwrap();
    pulled.verify().unwrap();
    assert_eq!(pulled.top().unwrap().digest, pushed.fixture.top().digest);
    assert_eq!(
        pulled.images().unwrap(),
        pushed.fixture.layout.images().unwrap()
    );
}

#[test]
fn pulls_documents_without_layers() {
    let pushed = Pushed::new();
    let digest = pushed.fixture.top().digest;
    let pulled = pushed
        .pull(&format!("@{digest}"), Contents::Documents)
        .unwrap();
    let images = pulled.images().unwrap();
    assert_eq!(images, pushed.fixture.layout.images().unwrap());
    for (layer, _) in images[0].layers() {
        assert!(!pulled.blob_path(layer).exists());
    }
    // The API version check, three manifests, two configs.
    assert_eq!(pushed.registry.requests().len(), 6);
}

#[test]
fn resumes_interrupted_downloads() {
    let pushed = Pushed::new();
    let layer = pushed.fixture.layout.images().unwrap()[0]
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
fn rejects_content_with_a_wrong_digest() {
    let pushed = Pushed::new();
    let lie = Fault::Header("Docker-Content-Digest", Digest::of(b"other").to_string());
    pushed.registry.fail("GET /v2/app/manifests/v1", [lie]);
    let error = pushed.error(":v1");
    assert!(matches!(error, Error::OtherDigest { .. }), "{error}");

    let other = Fault::Body(br#"{"manifests":[]}"#.to_vec());
    let by_digest = format!("@{}", pushed.fixture.top().digest);
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
fn limits_the_size_of_manifests() {
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
fn rejects_manifests_with_a_wrong_media_type() {
    let pushed = Pushed::new();
    let docker = "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8";
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        [Fault::Header("Content-Type", docker.into())],
    );
    let error = pushed.error(":v1");
    assert!(
        error.to_string().contains("but its descriptor says"),
        "{error}"
    );
}

#[test]
fn takes_the_media_type_of_a_manifest_from_the_document_if_the_header_is_of_no_use() {
    for sent in [
        "application/json",
        "application/octet-stream",
        "text/plain; charset=utf-8",
        "",
    ] {
        let pushed = Pushed::new();
        let fault = Fault::Header("Content-Type", sent.into());
        pushed.registry.fail("GET /v2/app/manifests/v1", [fault]);
        let layout = pushed.pull(":v1", Contents::Everything).unwrap();
        assert_eq!(layout.top().unwrap(), pushed.fixture.top(), "{sent}");
    }
}

#[test]
fn reports_missing_references_and_invalid_manifests() {
    let pushed = Pushed::new();
    let error = pushed.error(":v2");
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("/app:v2 was not found (MANIFEST_UNKNOWN"),
        "{error}"
    );
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        [Fault::ErrorResponse(
            200,
            vec![("Content-Type", "text/html".into())],
            "<html>".into(),
        )],
    );
    let error = pushed.error(":v1");
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
}

#[test]
fn limits_redirects() {
    let pushed = Pushed::new();
    let to = vec![("Location", "v1".to_owned())];
    pushed.registry.fail(
        "GET /v2/app/manifests/v1",
        vec![Fault::ErrorResponse(307, to, String::new()); 9],
    );
    let error = pushed.error(":v1");
    assert!(error.to_string().contains("redirects more than"), "{error}");
}
