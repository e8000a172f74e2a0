//! Pushes to registries as they are.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod registry;
mod scene;

use std::fs;
use std::time::{Duration, Instant};

use registry::{Fault, Habit, Registry};
use scene::{LARGE, Scene, client, options};
use slipway_oci::compression::Method;
use slipway_oci::layout::LayoutWriter;
use slipway_oci::{Compression, Digest, Image, LayerSource, Layout, MediaType, Timestamp};
use slipway_registry::progress::Silent;
use slipway_registry::{Client, Contents, Error, Options, Outcome, Patience, Reference, pull};

const TAG: &str = "PUT /v2/app/manifests/v1";

fn app(registry: &Registry) -> [String; 1] {
    [format!("{}/app:v1", registry.host())]
}

/// The registry has the image whole, under the tag.
fn assert_pushed(registry: &Registry, scene: &Scene) {
    assert!(registry.has_tag("app", "v1"));
    assert!(registry.has_tag("app", &scene.top().digest.to_string()));
    assert_eq!(registry.blobs("app"), 5);
}

#[test]
fn children_go_before_the_index_and_the_tag_comes_last() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let pushed = scene.push(&client(), &app(&registry)).unwrap();
    assert_eq!(pushed[0].digest, scene.top().digest);
    assert_eq!(pushed[0].outcome, Outcome::Sent);
    assert_pushed(&registry, &scene);
    let requests = registry.requests();
    assert_eq!(requests[..2], ["GET /v2/", "HEAD /v2/app/manifests/v1"]);
    let puts: Vec<&String> = requests
        .iter()
        .filter(|it| it.starts_with("PUT /v2/app/manifests/"))
        .collect();
    assert_eq!(puts.len(), 3, "{requests:?}");
    assert_eq!(requests.last().unwrap(), TAG);
    assert!(puts[..2].iter().all(|it| it.contains("sha256:")));
    // HEAD, POST, PATCH and PUT for each blob, and nothing else.
    assert_eq!(requests.len(), 2 + 4 * 5 + 3, "{requests:?}");
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn an_unchanged_tag_takes_one_request_after_the_ping() {
    let (scene, registry) = (Scene::new(), Registry::start());
    scene.push(&client(), &app(&registry)).unwrap();
    registry.requests();
    let pushed = scene.push(&client(), &app(&registry)).unwrap();
    assert_eq!(pushed[0].outcome, Outcome::Unchanged);
    assert_eq!(
        registry.requests(),
        ["GET /v2/", "HEAD /v2/app/manifests/v1"]
    );
}

#[test]
fn another_tag_of_what_is_there_takes_a_look_and_a_put() {
    let (scene, registry) = (Scene::new(), Registry::start());
    scene.push(&client(), &app(&registry)).unwrap();
    registry.requests();
    let [one] = app(&registry);
    let pushed = scene
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
fn a_reference_without_a_tag_is_put_under_its_digest_and_another_digest_is_refused() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let name = format!("{}/app@{}", registry.host(), scene.top().digest);
    scene.push(&client(), &[name]).unwrap();
    assert!(registry.has_tag("app", &scene.top().digest.to_string()));
    registry.requests();
    let other = slipway_oci::Digest::of(b"other");
    let name = format!("{}/app:v1@{other}", registry.host());
    let error = scene.push(&client(), &[name]).unwrap_err();
    assert!(matches!(error, Error::OtherPin(..)), "{error}");
    assert!(registry.requests().is_empty());
}

#[test]
fn a_blob_that_is_there_is_not_sent_again() {
    let (scene, registry) = (Scene::new(), Registry::start());
    scene.push(&client(), &app(&registry)).unwrap();
    registry.state().manifests.clear();
    registry.requests();
    scene.push(&client(), &app(&registry)).unwrap();
    let requests = registry.requests();
    assert!(
        !requests.iter().any(|it| it.contains("uploads")),
        "{requests:?}"
    );
    assert_pushed(&registry, &scene);
}

#[test]
fn blobs_are_mounted_into_the_next_repository() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let [one] = app(&registry);
    let two = format!("{}/team/app:v1", registry.host());
    scene.push(&client(), &[one, two]).unwrap();
    assert_eq!(registry.blobs("team/app"), 5);
    assert!(registry.has_tag("team/app", "v1"));
    let requests = registry.requests();
    let sent = |it: &&String| it.starts_with("PUT /v2/team/app/blobs/");
    assert_eq!(requests.iter().filter(sent).count(), 0, "{requests:?}");
    // All tags come after all content.
    let tail = &requests[requests.len() - 2..];
    assert_eq!(tail, [TAG, "PUT /v2/team/app/manifests/v1"]);
}

#[test]
fn blobs_are_mounted_from_a_repository_that_is_named_and_sent_where_mounts_are_unknown() {
    let (scene, registry) = (Scene::new(), Registry::start());
    scene.push(&client(), &app(&registry)).unwrap();
    registry.requests();
    let base = format!("{}/app", registry.host()).parse().unwrap();
    let client = client().mounting(vec![base]);
    let two = format!("{}/two:v1", registry.host());
    scene.push(&client, &[two]).unwrap();
    let requests = registry.requests();
    assert!(
        !requests
            .iter()
            .any(|it| it.starts_with("PUT /v2/two/blobs/")),
        "{requests:?}"
    );

    registry.refuse_mounts();
    let three = format!("{}/three:v1", registry.host());
    scene.push(&client, &[three]).unwrap();
    assert_eq!(registry.blobs("three"), 5);
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn busy_and_broken_answers_are_tried_again() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let busy = |after: &str| {
        let headers = vec![("Retry-After", after.to_owned())];
        Fault::Answer(429, headers, String::new())
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
    scene.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
}

#[test]
fn a_registry_is_waited_for_as_long_as_it_asks() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let wait = vec![("Retry-After", "1".to_owned())];
    registry.fail(
        "HEAD /v2/app/manifests/",
        [Fault::Answer(429, wait, String::new())],
    );
    let begin = Instant::now();
    scene.push(&client(), &app(&registry)).unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[test]
fn patience_ends_and_the_error_says_what_was_answered() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let said = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\u001b[31m\ndown"}]}"#;
    let busy = Fault::Answer(429, Vec::new(), said.into());
    registry.fail("POST ", vec![busy; 20]);
    let one = Options {
        jobs: 1,
        ..options()
    };
    let error = scene
        .push(&Client::new(one), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(error.contains("429"), "{error}");
    assert!(
        error.contains("(TOOMANYREQUESTS: slow [31m down)"),
        "{error}"
    );
    // The ping, the tag, a blob; and five times the upload.
    assert_eq!(registry.requests().len(), 3 + 5);

    let hours = vec![("Retry-After", "7200".to_owned())];
    registry.fail(
        "HEAD /v2/app/manifests/",
        [Fault::Answer(429, hours, String::new())],
    );
    let error = scene
        .push(&client(), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(error.contains("asks to wait 7200 s"), "{error}");
}

/// One blob at a time, the largest first.
fn one_by_one() -> Client {
    Client::new(Options {
        jobs: 1,
        ..options()
    })
}

#[test]
fn a_blob_is_streamed_whole_in_one_request_without_a_range() {
    let (scene, registry) = (Scene::new(), Registry::start());
    scene.push(&one_by_one(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
    let requests = registry.take();
    let patches: Vec<_> = requests.iter().filter(|it| it.method == "PATCH").collect();
    assert_eq!(patches.len(), 5);
    assert_eq!(patches[0].headers["content-length"], LARGE.to_string());
    for patch in patches {
        assert!(!patch.headers.contains_key("content-range"), "{patch:?}");
    }
}

#[test]
fn an_upload_that_is_cut_goes_on_from_where_it_was() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.fail(
        "PATCH ",
        [
            Fault::CutRequest(100_000),
            Fault::CutRequest(50_000),
            Fault::NoAnswer,
        ],
    );
    scene.push(&one_by_one(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
    let requests = registry.take();
    let ranges: Vec<&String> = requests
        .iter()
        .filter_map(|it| it.headers.get("content-range"))
        .collect();
    let end = LARGE - 1;
    assert_eq!(ranges, [&format!("100000-{end}"), &format!("150000-{end}")]);
}

#[test]
fn an_upload_begins_anew_where_the_registry_does_not_continue_it() {
    let scene = Scene::new();
    for habit in [
        Habit::LimitsChunks(1000),
        Habit::KnowsNoChunks,
        Habit::RepeatsRange("0-0"),
        Habit::RepeatsRange("0--1"),
        Habit::RepeatsRange("0-5"),
        Habit::RepeatsRange("bytes=0-999"),
        Habit::RepeatsRange("0-999999999"),
        Habit::RepeatsRange("soon"),
    ] {
        let registry = Registry::start();
        registry.adopt(habit);
        registry.fail("PATCH ", [Fault::CutRequest(100_000)]);
        scene.push(&one_by_one(), &app(&registry)).unwrap();
        assert_pushed(&registry, &scene);
        assert_eq!(registry.open_uploads(), 0, "{habit:?}");
    }
}

#[test]
fn an_upload_that_was_resumed_at_the_wrong_place_begins_anew() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.fail("PATCH ", [Fault::CutRequest(100_000), Fault::status(202)]);
    scene.push(&one_by_one(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
}

#[test]
fn an_upload_that_the_registry_loses_each_time_or_that_crawls_ends() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.adopt(Habit::LosesUploads);
    let error = scene.push(&one_by_one(), &app(&registry)).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("404 (BLOB_UPLOAD_UNKNOWN"), "{error}");
    let requests = registry.requests();
    let patches = requests.iter().filter(|it| it.starts_with("PATCH "));
    assert_eq!(patches.count(), 3, "{requests:?}");

    let registry = Registry::start();
    registry.fail("PATCH ", vec![Fault::CutRequest(2); 1000]);
    let error = scene.push(&one_by_one(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::GaveUp { .. }), "{error}");
    assert!(registry.requests().len() < 30);
}

#[test]
fn a_limit_of_the_registry_is_explained() {
    let scene = Scene::new();
    for (fault, said) in [
        (Fault::status(413), "with status 413;"),
        (
            Fault::Answer(
                416,
                Vec::new(),
                r#"{"errors":[{"code":"RANGE","message":"over 4 MiB"}]}"#.into(),
            ),
            "with status 416 (RANGE: over 4 MiB);",
        ),
    ] {
        let registry = Registry::start();
        registry.fail("PATCH ", [fault]);
        let error = scene.push(&one_by_one(), &app(&registry)).unwrap_err();
        assert!(matches!(error, Error::OverLimit { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains("300000 bytes"), "{error}");
        assert!(error.contains(said), "{error}");
        assert!(error.contains("make smaller layers"), "{error}");
        assert!(!registry.has_tag("app", "v1"));
    }
    let registry = Registry::start();
    registry.adopt(Habit::LimitsBodies(100_000));
    let error = scene.push(&client(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::OverLimit { .. }), "{error}");
}

#[test]
fn answers_that_are_not_quite_those_of_the_specification_are_taken() {
    let scene = Scene::new();
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
        scene.push(&client(), &app(&registry)).unwrap();
        assert_pushed(&registry, &scene);
        let requests = registry.requests();
        assert_eq!(requests.len(), 2 + 4 * 5 + 3, "{patch:?}: {requests:?}");
    }
}

#[test]
fn a_registry_that_checks_a_blob_for_long_is_waited_for() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let slow = Fault::Late(Duration::from_millis(300));
    registry.fail("PUT /v2/app/blobs/", [slow]);
    let patience = Patience {
        stall: Duration::from_millis(100),
        tries: 1,
        ..options().patience
    };
    let client = Client::new(Options {
        patience,
        ..options()
    });
    scene.push(&client, &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
}

#[test]
fn a_registry_that_takes_no_stream_gets_a_blob_with_the_put() {
    let scene = Scene::new();
    for status in [400, 405, 411, 501] {
        let registry = Registry::start();
        registry.fail("PATCH ", vec![Fault::status(status); 5]);
        registry.fail("PUT /v2/app/blobs/", [Fault::status(500)]);
        scene.push(&client(), &app(&registry)).unwrap();
        assert_pushed(&registry, &scene);
        assert_eq!(registry.open_uploads(), 0);
    }
}

#[test]
fn a_blob_that_cannot_be_mounted_is_sent() {
    let scene = Scene::new();
    for status in [400, 404, 405, 422] {
        let registry = Registry::start();
        let base = format!("{}/base", registry.host()).parse().unwrap();
        registry.fail(
            "POST /v2/app/blobs/uploads/?mount",
            vec![Fault::status(status); 5],
        );
        let client = client().mounting(vec![base]);
        scene.push(&client, &app(&registry)).unwrap();
        assert_pushed(&registry, &scene);
    }
}

#[test]
fn an_upload_that_the_registry_has_forgotten_begins_anew() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.fail("PATCH ", [Fault::status(404), Fault::CutRequest(9)]);
    registry.fail("PUT /v2/app/blobs/uploads/", [Fault::status(404)]);
    registry.fail("GET /v2/app/blobs/uploads/", [Fault::status(404)]);
    scene.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
}

#[test]
fn a_blob_whose_arrival_was_not_answered_is_not_sent_twice() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.fail("PUT /v2/app/blobs/uploads/", [Fault::NoAnswer]);
    scene.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
    let requests = registry.requests();
    let puts = requests
        .iter()
        .filter(|it| it.starts_with("PUT /v2/app/blobs/"));
    assert_eq!(puts.count(), 5, "{requests:?}");
}

#[test]
fn a_registry_without_head_is_asked_by_get() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.fail("HEAD ", vec![Fault::status(405); 6]);
    scene.push(&client(), &app(&registry)).unwrap();
    assert_pushed(&registry, &scene);
    registry.fail("HEAD ", [Fault::status(405)]);
    let pushed = scene.push(&client(), &app(&registry)).unwrap();
    assert_eq!(pushed[0].outcome, Outcome::Unchanged);
}

#[test]
fn a_wrong_location_is_refused_before_a_byte_goes_there() {
    for location in [
        "http://registry.example/x",
        "file:///etc/passwd",
        "",
        "ftp://x/y",
    ] {
        let (scene, registry) = (Scene::new(), Registry::start());
        registry.fail("POST ", vec![Fault::Header("Location", location.into()); 9]);
        let error = scene.push(&client(), &app(&registry)).unwrap_err();
        assert!(
            matches!(error, Error::Protocol { .. }),
            "{location}: {error}"
        );
        assert!(!registry.has_tag("app", "v1"));
    }
}

#[test]
fn a_registry_that_lies_about_a_digest_is_found_out() {
    let other = slipway_oci::Digest::of(b"other").to_string();
    for request in ["PUT /v2/app/blobs/", "PUT /v2/app/manifests/sha256:"] {
        let (scene, registry) = (Scene::new(), Registry::start());
        registry.fail(
            request,
            vec![Fault::Header("Docker-Content-Digest", other.clone())],
        );
        let error = scene.push(&client(), &app(&registry)).unwrap_err();
        assert!(
            matches!(error, Error::OtherDigest { .. }),
            "{request}: {error}"
        );
        assert!(!registry.has_tag("app", "v1"));
    }
}

#[test]
fn a_blob_that_was_truncated_altered_or_lost_on_disk_never_gets_a_tag() {
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
        let (scene, registry) = (Scene::new(), Registry::start());
        change(&scene.large());
        let error = scene
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
fn a_document_that_was_altered_on_disk_is_found_before_a_blob_is_sent() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let file = scene.layout.blob_path(scene.top());
    let text = fs::read_to_string(&file).unwrap().replace("arm64", "armxx");
    fs::write(&file, text).unwrap();
    let error = scene
        .push(&client(), &app(&registry))
        .unwrap_err()
        .to_string();
    assert!(error.contains("was altered"), "{error}");
    assert_eq!(registry.requests().len(), 2);
}

#[test]
fn a_registry_that_predates_oci_gets_dockers_formats_and_the_tag_last() {
    let scene = Scene::new();
    for (status, code) in [
        (415, "MANIFEST_INVALID"),
        (400, "MANIFEST_INVALID"),
        (405, "UNSUPPORTED"),
        (406, ""),
    ] {
        let registry = Registry::start();
        registry.adopt(Habit::PredatesOci(status, code));
        let [one] = app(&registry);
        let two = format!("{}/app:v2", registry.host());
        let pushed = scene.push(&client(), &[one.clone(), two]).unwrap();
        let translated = pushed[0].translated.clone().unwrap();
        assert_eq!(pushed[0].digest, translated.digest);
        assert_eq!(pushed[1].translated, pushed[0].translated);
        assert_ne!(pushed[0].digest, scene.top().digest);
        assert_eq!(registry.blobs("app"), 5);
        let requests = registry.requests();
        let tail = &requests[requests.len() - 2..];
        assert_eq!(tail, [TAG, "PUT /v2/app/manifests/v2"]);

        // What is there is the same image.
        let to = tempfile::tempdir().unwrap();
        let to = to.path().join("pulled");
        let reference = one.parse().unwrap();
        let pulled = pull(&client(), &reference, Contents::Everything, &to).unwrap();
        assert_eq!(pulled.top().unwrap().media_type, translated.media_type);
        let blobs = |layout: &Layout| {
            let images = layout.images().unwrap();
            let image = |image: &Image| {
                let layers: Vec<Digest> = image.layers().map(|(it, _)| it.digest).collect();
                (image.config().descriptor().digest, layers)
            };
            images.iter().map(image).collect::<Vec<_>>()
        };
        assert_eq!(blobs(&pulled), blobs(&scene.layout));
    }
}

#[test]
fn zstd_layers_become_gzip_in_dockers_formats() {
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

    registry.adopt(Habit::PredatesOci(415, ""));
    let [name] = app(&registry);
    let reference: Reference = name.parse().unwrap();
    let references = [reference.clone()];
    slipway_registry::push(&client(), &layout, &top, &references, &Silent).unwrap();
    let to = directory.path().join("pulled");
    let pulled = pull(&client(), &reference, Contents::Everything, &to).unwrap();
    pulled.verify().unwrap();
    let image = pulled.images().unwrap().remove(0);
    let (layer, diff_id) = image.layers().next().unwrap();
    assert_eq!(layer.media_type.meaning(), MediaType::LayerGzip);
    assert_eq!(diff_id, layers[0].diff_id);
}

#[test]
fn an_image_that_no_format_makes_acceptable_is_refused_with_the_reason() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let said = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"no foreign images"}]}"#;
    registry.fail(
        "PUT /v2/app/manifests/",
        vec![Fault::Answer(400, Vec::new(), said.into()); 9],
    );
    let error = scene.push(&client(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("no foreign images"), "{error}");

    let registry = Registry::start();
    registry.adopt(Habit::PredatesOci(415, ""));
    let pinned = format!("{}/app:v1@{}", registry.host(), scene.top().digest);
    let error = scene.push(&client(), &[pinned]).unwrap_err();
    assert!(matches!(error, Error::PinnedFormat { .. }), "{error}");
}

#[test]
fn a_tag_that_the_registry_refuses_is_explained_and_others_stay() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let said = r#"{"errors":[{"code":"TAG_INVALID","message":"tags are frozen"}]}"#;
    registry.fail(TAG, [Fault::Answer(400, Vec::new(), said.into())]);
    let error = scene
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
fn a_host_that_is_no_registry_or_not_there_is_named() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.fail("GET /v2/", [Fault::status(404)]);
    let error = scene.push(&client(), &app(&registry)).unwrap_err();
    assert!(matches!(error, Error::NotARegistry { .. }), "{error}");

    let [name] = app(&registry);
    drop(registry);
    let error = scene.push(&client(), &[name]).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[test]
fn a_registry_that_says_nothing_is_not_waited_for_for_ever() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hurried = Options {
        plain_http: true,
        patience: Patience {
            answer: Duration::from_millis(50),
            stall: Duration::from_millis(50),
            pause: Duration::from_millis(1),
            tries: 2,
            ..Patience::default()
        },
        ..options()
    };
    let name = format!("{}/app", listener.local_addr().unwrap());
    let error = Scene::new()
        .push(&Client::new(hurried), &[name])
        .unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
}
