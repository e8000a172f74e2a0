//! Pushes to registries with and without faults.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]

mod fixture;
mod registry;

use std::fs;
use std::time::{Duration, Instant};

use fixture::{Fixture, LARGE, client, options};
use registry::{Fault, Quirk, Registry};
use slipway_http::RetryPolicy;
use slipway_oci::compression::Method;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Compression, Digest, Image, LayerSource, Layout, MediaType, Timestamp};
use slipway_progress::Silent;
use slipway_registry::{Client, Contents, Error, Options, Outcome, Reference, pull};

const TAG: &str = "PUT /v2/app/manifests/v1";

fn app(registry: &Registry) -> [String; 1] {
    [format!("{}/app:v1", registry.host())]
}

/// Asserts that the registry has the complete image under the tag.
fn assert_pushed(registry: &Registry, fixture: &Fixture) {
    assert!(registry.has_tag("app", "v1"));
    assert!(registry.has_tag("app", &fixture.top().digest.to_string()));
    assert_eq!(registry.blobs("app"), 5);
}

#[test]
fn uploads_children_before_the_index_and_the_tag_last() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let pushed = fixture.push(&client(), &app(&registry)).unwrap();
    assert_eq!(pushed[0].digest, fixture.top().digest);
    assert_eq!(pushed[0].outcome, Outcome::Sent);
    assert_pushed(&registry, &fixture);
    let requests = registry.requests();
    assert_eq!(requests[..2], ["GET /v2/", "HEAD /v2/app/manifests/v1"]);
    let puts: Vec<&String> = requests
        .iter()
        .filter(|it| it.starts_with("PUT /v2/app/manifests/"))
        .collect();
    assert_eq!(puts.len(), 3, "{requests:?}");
    assert_eq!(requests.last().unwrap(), TAG);
    assert!(puts[..2].iter().all(|it| it.contains("sha256:")));
    // Only HEAD, POST, PATCH and PUT for each blob.
    assert_eq!(requests.len(), 2 + 4 * 5 + 3, "{requests:?}");
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn unchanged_tags_take_one_request() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    fixture.push(&client(), &app(&registry)).unwrap();
    registry.requests();
    let pushed = fixture.push(&client(), &app(&registry)).unwrap();
    assert_eq!(pushed[0].outcome, Outcome::Unchanged);
    assert_eq!(
        registry.requests(),
        ["GET /v2/", "HEAD /v2/app/manifests/v1"]
    );
}

#[test]
fn additional_tags_take_two_requests() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    fixture.push(&client(), &app(&registry)).unwrap();
    registry.requests();
    let [one] = app(&registry);
    let pushed = fixture
        .push(&client(), &[one, format!("{}/app:v2", registry.host())])
        .unwrap();
    let outcomes: Vec<Outcome> = pushed.iter().map(|it| it.outcome).collect();
    assert_eq!(outcomes, [Outcome::Unchanged, Outcome::Tagged]);
    assert_eq!(
        registry.requests(),
        [
            "GET /v2/",
            "HEAD /v2/app/manifests/v1",
            "HEAD /v2/app/manifests/v2",
            "PUT /v2/app/manifests/v2",
        ]
    );
}

#[test]
fn pushes_by_digest_and_rejects_other_digests() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let name = format!("{}/app@{}", registry.host(), fixture.top().digest);
    fixture.push(&client(), &[name]).unwrap();
    assert!(registry.has_tag("app", &fixture.top().digest.to_string()));
    registry.requests();
    let other = slipway_oci::Digest::of(b"other");
    let name = format!("{}/app:v1@{other}", registry.host());
    let error = fixture.push(&client(), &[name]).unwrap_err();
    assert!(matches!(error, Error::OtherPin(..)), "{error}");
    assert!(registry.requests().is_empty());
}

#[test]
fn does_not_send_existing_blobs() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    fixture.push(&client(), &app(&registry)).unwrap();
    registry.state().manifests.clear();
    registry.requests();
    fixture.push(&client(), &app(&registry)).unwrap();
    let requests = registry.requests();
    assert!(
        !requests.iter().any(|it| it.contains("uploads")),
        "{requests:?}"
    );
    assert_pushed(&registry, &fixture);
}

#[test]
fn mounts_blobs_into_the_next_repository() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let [one] = app(&registry);
    let two = format!("{}/team/app:v1", registry.host());
    fixture.push(&client(), &[one, two]).unwrap();
    assert_eq!(registry.blobs("team/app"), 5);
    assert!(registry.has_tag("team/app", "v1"));
    let requests = registry.requests();
    let sent = |it: &&String| it.starts_with("PUT /v2/team/app/blobs/");
    assert_eq!(requests.iter().filter(sent).count(), 0, "{requests:?}");
    // All tags follow all content.
    let tail = &requests[requests.len() - 2..];
    assert_eq!(tail, [TAG, "PUT /v2/team/app/manifests/v1"]);
}

#[test]
fn mounts_blobs_from_named_repositories_or_sends_them() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    fixture.push(&client(), &app(&registry)).unwrap();
    registry.requests();
    let base = format!("{}/app", registry.host()).parse().unwrap();
    let client = client().mounting(vec![base]);
    let two = format!("{}/two:v1", registry.host());
    fixture.push(&client, &[two]).unwrap();
    let requests = registry.requests();
    assert!(
        !requests
            .iter()
            .any(|it| it.starts_with("PUT /v2/two/blobs/")),
        "{requests:?}"
    );

    registry.refuse_mounts();
    let three = format!("{}/three:v1", registry.host());
    fixture.push(&client, &[three]).unwrap();
    assert_eq!(registry.blobs("three"), 5);
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn retries_transient_failures() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let busy = |after: &str| {
        let headers = vec![("Retry-After", after.to_owned())];
        Fault::ErrorResponse(429, headers, String::new())
    };
    registry.fail("GET /v2/", [Fault::status(503)]);
    registry.fail("HEAD /v2/app/manifests/", [Fault::status(500), busy("0")]);
    registry.fail(
        "HEAD /v2/app/blobs/",
        [busy("Sun, 06 Nov 1994 08:49:37 GMT"), Fault::status(502)],
    );
    registry.fail("POST ", [Fault::status(504), Fault::NoAnswer]);
    registry.fail("PUT /v2/app/blobs/", [Fault::status(500), Fault::NoAnswer]);
    registry.fail(
        "PUT /v2/app/manifests/",
        [busy("0"), Fault::status(503), Fault::NoAnswer],
    );
    fixture.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
}

#[test]
fn honours_retry_after() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let wait = vec![("Retry-After", "1".to_owned())];
    registry.fail(
        "HEAD /v2/app/manifests/",
        [Fault::ErrorResponse(429, wait, String::new())],
    );
    let begin = Instant::now();
    fixture.push(&client(), &app(&registry)).unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn reports_the_last_response_when_retries_are_exhausted() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let said = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\u001b[31m\ndown"}]}"#;
    let busy = Fault::ErrorResponse(429, Vec::new(), said.into());
    registry.fail("POST ", vec![busy; 20]);
    let one = Options {
        jobs: 1,
        ..options()
    };
    let error = fixture
        .push(&Client::new(one), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(error.contains("429"), "{error}");
    assert!(
        error.contains("(TOOMANYREQUESTS: slow [31m down)"),
        "{error}"
    );
    // The API version check, the tag, a blob, and five attempts at the upload.
    assert_eq!(registry.requests().len(), 3 + 5);

    let hours = vec![("Retry-After", "7200".to_owned())];
    registry.fail(
        "HEAD /v2/app/manifests/",
        [Fault::ErrorResponse(429, hours, String::new())],
    );
    let error = fixture
        .push(&client(), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(error.contains("asks to wait 7200 s"), "{error}");
}

/// A client that sends one blob at a time, the largest first.
fn sequential_client() -> Client {
    Client::new(Options {
        jobs: 1,
        ..options()
    })
}

#[test]
fn streams_a_blob_in_one_request_without_a_range() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    fixture.push(&sequential_client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
    let requests = registry.take();
    let patches: Vec<_> = requests.iter().filter(|it| it.method == "PATCH").collect();
    assert_eq!(patches.len(), 5);
    assert_eq!(patches[0].headers["content-length"], LARGE.to_string());
    for patch in patches {
        assert!(!patch.headers.contains_key("content-range"), "{patch:?}");
    }
}

#[test]
fn resumes_interrupted_uploads() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.fail(
        "PATCH ",
        [
            Fault::CutRequest(100_000),
            Fault::CutRequest(50_000),
            Fault::NoAnswer,
        ],
    );
    fixture.push(&sequential_client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
    let requests = registry.take();
    let ranges: Vec<&String> = requests
        .iter()
        .filter_map(|it| it.headers.get("content-range"))
        .collect();
    let end = LARGE - 1;
    assert_eq!(ranges, [&format!("100000-{end}"), &format!("150000-{end}")]);
}

#[test]
fn restarts_uploads_that_cannot_be_resumed() {
    let fixture = Fixture::new();
    for quirk in [
        Quirk::LimitsChunks(1000),
        Quirk::KnowsNoChunks,
        Quirk::RepeatsRange("0-0"),
        Quirk::RepeatsRange("0--1"),
        Quirk::RepeatsRange("0-5"),
        Quirk::RepeatsRange("bytes=0-999"),
        Quirk::RepeatsRange("0-999999999"),
        Quirk::RepeatsRange("soon"),
    ] {
        let registry = Registry::start();
        registry.adopt(quirk);
        registry.fail("PATCH ", [Fault::CutRequest(100_000)]);
        fixture.push(&sequential_client(), &app(&registry)).unwrap();
        assert_pushed(&registry, &fixture);
        assert_eq!(registry.open_uploads(), 0, "{quirk:?}");
    }
}

#[test]
fn restarts_uploads_resumed_at_the_wrong_offset() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.fail("PATCH ", [Fault::CutRequest(100_000), Fault::status(202)]);
    fixture.push(&sequential_client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
}

#[test]
fn gives_up_on_lost_and_crawling_uploads() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.adopt(Quirk::LosesUploads);
    let error = fixture
        .push(&sequential_client(), &app(&registry))
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains("404 (BLOB_UPLOAD_UNKNOWN"), "{error}");
    let requests = registry.requests();
    let patches = requests.iter().filter(|it| it.starts_with("PATCH "));
    assert_eq!(patches.count(), 3, "{requests:?}");

    let registry = Registry::start();
    registry.fail("PATCH ", vec![Fault::CutRequest(2); 1000]);
    let error = fixture
        .push(&sequential_client(), &app(&registry))
        .unwrap_err();
    assert!(matches!(error, Error::GaveUp { .. }), "{error}");
    assert!(registry.requests().len() < 30);
}

#[test]
fn explains_size_limits_of_the_registry() {
    let fixture = Fixture::new();
    for (fault, said) in [
        (Fault::status(413), "with status 413;"),
        (
            Fault::ErrorResponse(
                416,
                Vec::new(),
                r#"{"errors":[{"code":"RANGE","message":"over 4 MiB"}]}"#.into(),
            ),
            "with status 416 (RANGE: over 4 MiB);",
        ),
    ] {
        let registry = Registry::start();
        registry.fail("PATCH ", [fault]);
        let error = fixture
            .push(&sequential_client(), &app(&registry))
            .unwrap_err();
        assert!(matches!(error, Error::OverLimit { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("300000 bytes"), "{error}");
        assert!(error.contains(said), "{error}");
        assert!(error.contains("make smaller layers"), "{error}");
        assert!(!registry.has_tag("app", "v1"));
    }
    let registry = Registry::start();
    registry.adopt(Quirk::LimitsBodies(100_000));
    let error = fixture.push(&client(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::OverLimit { .. }), "{error}");
}

#[test]
fn accepts_common_deviations_from_the_specification() {
    let fixture = Fixture::new();
    let header = |name, value: &str| Fault::Header(name, value.to_owned());
    for (post, patch, put) in [
        (Fault::Status(200), Fault::Status(200), Fault::Status(200)),
        (Fault::Status(204), Fault::Status(204), Fault::Status(204)),
        (
            header("OCI-Chunk-Min-Length", "83886080"),
            Fault::Without("Range"),
            Fault::Without("Docker-Content-Digest"),
        ),
        (
            header("Range", "0--1"),
            header("Range", "0--1"),
            Fault::Without("Location"),
        ),
        (
            header("Connection", "close"),
            header("Connection", "close"),
            header("Connection", "close"),
        ),
        (
            Fault::Without("Range"),
            Fault::Without("Location"),
            header("Range", "0-0"),
        ),
    ] {
        let registry = Registry::start();
        for (request, fault) in [("POST ", &post), ("PATCH ", &patch), ("PUT ", &put)] {
            registry.fail(request, vec![fault.clone(); 8]);
        }
        fixture.push(&client(), &app(&registry)).unwrap();
        assert_pushed(&registry, &fixture);
        let requests = registry.requests();
        assert_eq!(requests.len(), 2 + 4 * 5 + 3, "{patch:?}: {requests:?}");
    }
}

#[test]
fn waits_for_slow_blob_verification() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let slow = Fault::Late(Duration::from_millis(300));
    registry.fail("PUT /v2/app/blobs/", [slow]);
    let retry = RetryPolicy {
        stall: Duration::from_millis(100),
        tries: 1,
        ..options().retry
    };
    let client = Client::new(Options { retry, ..options() });
    fixture.push(&client, &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
}

#[test]
fn falls_back_to_a_single_put_without_patch_support() {
    let fixture = Fixture::new();
    for status in [400, 405, 411, 501] {
        let registry = Registry::start();
        registry.fail("PATCH ", vec![Fault::status(status); 5]);
        registry.fail("PUT /v2/app/blobs/", [Fault::status(500)]);
        fixture.push(&client(), &app(&registry)).unwrap();
        assert_pushed(&registry, &fixture);
        assert_eq!(registry.open_uploads(), 0);
    }
}

#[test]
fn sends_blobs_that_cannot_be_mounted() {
    let fixture = Fixture::new();
    for status in [400, 404, 405, 422] {
        let registry = Registry::start();
        let base = format!("{}/base", registry.host()).parse().unwrap();
        registry.fail(
            "POST /v2/app/blobs/uploads/?mount",
            vec![Fault::status(status); 5],
        );
        let client = client().mounting(vec![base]);
        fixture.push(&client, &app(&registry)).unwrap();
        assert_pushed(&registry, &fixture);
    }
}

#[test]
fn restarts_uploads_that_the_registry_lost() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.fail("PATCH ", [Fault::status(404), Fault::CutRequest(9)]);
    registry.fail("PUT /v2/app/blobs/uploads/", [Fault::status(404)]);
    registry.fail("GET /v2/app/blobs/uploads/", [Fault::status(404)]);
    fixture.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
}

#[test]
fn does_not_send_a_blob_twice_after_a_lost_response() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.fail("PUT /v2/app/blobs/uploads/", [Fault::NoAnswer]);
    fixture.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
    let requests = registry.requests();
    let puts = requests
        .iter()
        .filter(|it| it.starts_with("PUT /v2/app/blobs/"));
    assert_eq!(puts.count(), 5, "{requests:?}");
}

#[test]
fn uses_get_on_registries_without_head() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.fail("HEAD ", vec![Fault::status(405); 6]);
    fixture.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &fixture);
    registry.fail("HEAD ", [Fault::status(405)]);
    let pushed = fixture.push(&client(), &app(&registry)).unwrap();
    assert_eq!(pushed[0].outcome, Outcome::Unchanged);
}

#[test]
fn rejects_invalid_upload_locations() {
    for location in [
        "http://registry.example/x",
        "file:///etc/passwd",
        "",
        "ftp://x/y",
    ] {
        let (fixture, registry) = (Fixture::new(), Registry::start());
        registry.fail("POST ", vec![Fault::Header("Location", location.into()); 9]);
        let error = fixture.push(&client(), &app(&registry)).unwrap_err();
        assert!(
            matches!(error, Error::Protocol { .. }),
            "{location}: {error}"
        );
        assert!(!registry.has_tag("app", "v1"));
    }
}

#[test]
fn rejects_wrong_digests_from_the_registry() {
    let other = slipway_oci::Digest::of(b"other").to_string();
    for request in ["PUT /v2/app/blobs/", "PUT /v2/app/manifests/sha256:"] {
        let (fixture, registry) = (Fixture::new(), Registry::start());
        registry.fail(
            request,
            vec![Fault::Header("Docker-Content-Digest", other.clone())],
        );
        let error = fixture.push(&client(), &app(&registry)).unwrap_err();
        assert!(
            matches!(error, Error::OtherDigest { .. }),
            "{request}: {error}"
        );
        assert!(!registry.has_tag("app", "v1"));
    }
}

#[test]
fn does_not_tag_images_with_damaged_blobs() {
    type Change = fn(&std::path::Path);
    let changes: [(Change, &str); 3] = [
        (
            |file| fs::write(file, &fs::read(file).unwrap()[1..]).unwrap(),
            "299999 bytes",
        ),
        (
            |file| {
                let mut bytes = fs::read(file).unwrap();
                bytes[200_000] ^= 1;
                fs::write(file, bytes).unwrap();
            },
            "was altered",
        ),
        (|file| fs::remove_file(file).unwrap(), "cannot read"),
    ];
    for (change, said) in changes {
        let (fixture, registry) = (Fixture::new(), Registry::start());
        change(&fixture.large());
        let error = fixture
            .push(&client(), &app(&registry))
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{error}");
        assert!(!registry.has_tag("app", "v1"));
        assert_eq!(registry.open_uploads(), 0);
        let puts = registry.requests();
        assert!(
            !puts.iter().any(|it| it.contains("PUT /v2/app/manifests")),
            "{puts:?}"
        );
    }
}

#[test]
fn detects_modified_documents_before_sending_blobs() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let file = fixture.layout.blob_path(fixture.top());
    let text = fs::read_to_string(&file).unwrap().replace("arm64", "armxx");
    fs::write(&file, text).unwrap();
    let error = fixture
        .push(&client(), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(error.contains("was altered"), "{error}");
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn falls_back_to_docker_formats_and_tags_last() {
    let fixture = Fixture::new();
    for (status, code) in [
        (415, "MANIFEST_INVALID"),
        (400, "MANIFEST_INVALID"),
        (405, "UNSUPPORTED"),
        (406, ""),
    ] {
        let registry = Registry::start();
        registry.adopt(Quirk::PredatesOci(status, code));
        let [one] = app(&registry);
        let two = format!("{}/app:v2", registry.host());
        let pushed = fixture.push(&client(), &[one.clone(), two]).unwrap();
        let translated = pushed[0].translated.clone().unwrap();
        assert_eq!(pushed[0].digest, translated.digest);
        assert_eq!(pushed[1].translated, pushed[0].translated);
        assert_ne!(pushed[0].digest, fixture.top().digest);
        assert_eq!(registry.blobs("app"), 5);
        let requests = registry.requests();
        let tail = &requests[requests.len() - 2..];
        assert_eq!(tail, [TAG, "PUT /v2/app/manifests/v2"]);

        // The registry has the same image.
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("pulled");
        let reference = one.parse().unwrap();
        let pulled = pull(&client(), &reference, Contents::Everything, &to, &Silent).unwrap();
        assert_eq!(pulled.top().unwrap().media_type, translated.media_type);
        let blobs = |layout: &Layout| {
            let images = layout.images().unwrap();
            let image = |image: &Image| {
                let layers: Vec<Digest> = image.layers().map(|(it, _)| it.digest).collect();
                (image.config().descriptor().digest, layers)
            };
            images.iter().map(image).collect::<Vec<_>>()
        };
        assert_eq!(blobs(&pulled), blobs(&fixture.layout));
    }
}

#[test]
fn recompresses_zstd_layers_for_docker_formats() {
    let (directory, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let root = directory.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "content").unwrap();
    let mut writer = LayoutWriter::create(&directory.path().join("layout")).unwrap();
    let zstd = Compression::new(Method::Zstd, Some(1)).unwrap();
    let layers = writer.pack(vec![LayerSource::Root(root)], zstd).unwrap();
    let image = Image::new(
        "linux/amd64".parse().unwrap(),
        Default::default(),
        Timestamp::default(),
        [].into(),
        &layers,
    );
    let top = writer.add_image(&image.unwrap()).unwrap();
    let layout = writer.finish(top.clone()).unwrap();

    registry.adopt(Quirk::PredatesOci(415, ""));
    let [name] = app(&registry);
    let reference: Reference = name.parse().unwrap();
    let references = [reference.clone()];
    slipway_registry::push(&client(), &layout, &top, &references, &Silent).unwrap();
    let to = directory.path().join("pulled");
    let pulled = pull(&client(), &reference, Contents::Everything, &to, &Silent).unwrap();
    pulled.verify().unwrap();
    let image = pulled.images().unwrap().remove(0);
    let (layer, diff_id) = image.layers().next().unwrap();
    assert_eq!(layer.media_type.meaning(), MediaType::LayerGzip);
    assert_eq!(diff_id, layers[0].diff_id);
}

#[test]
fn reports_images_refused_in_every_format() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let said = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"no foreign images"}]}"#;
    registry.fail(
        "PUT /v2/app/manifests/",
        vec![Fault::ErrorResponse(400, Vec::new(), said.into()); 9],
    );
    let error = fixture.push(&client(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("no foreign images"), "{error}");

    let registry = Registry::start();
    registry.adopt(Quirk::PredatesOci(415, ""));
    let pinned = format!("{}/app:v1@{}", registry.host(), fixture.top().digest);
    let error = fixture.push(&client(), &[pinned]).unwrap_err();
    assert!(matches!(error, Error::PinnedFormat { .. }), "{error}");
}

#[test]
fn explains_refused_tags() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let said = r#"{"errors":[{"code":"TAG_INVALID","message":"tags are frozen"}]}"#;
    registry.fail(TAG, [Fault::ErrorResponse(400, Vec::new(), said.into())]);
    let error = fixture
        .push(&client(), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("400 (TAG_INVALID: tags are frozen)"),
        "{error}"
    );
    assert!(error.contains("/app:v1"), "{error}");
}

#[test]
fn reports_hosts_that_are_unreachable_or_not_registries() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.fail("GET /v2/", [Fault::status(404)]);
    let error = fixture.push(&client(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::NotARegistry { .. }), "{error}");

    let [name] = app(&registry);
    drop(registry);
    let error = fixture.push(&client(), &[name]).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[test]
fn times_out_on_unresponsive_registries() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hurried = Options {
        plain_http: true,
        retry: RetryPolicy {
            answer: Duration::from_millis(50),
            stall: Duration::from_millis(50),
            pause: Duration::from_millis(1),
            tries: 2,
            ..RetryPolicy::default()
        },
        ..options()
    };
    let name = format!("{}/app", listener.local_addr().unwrap());
    let error = Fixture::new()
        .push(&Client::new(hurried), &[name])
        .unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
}
