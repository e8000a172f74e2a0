//! Who may see what of a login.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails a test"
)]

mod registry;
mod scene;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use registry::{Fault, Guard, Registry};
use scene::{Scene, options};
use slipway_registry::credentials::Found;
use slipway_registry::{
    Client, Contents, Credentials, Error, Login, Options, Reference, Repository, Secret, pull,
};

/// `ada:hunter2`
const BASIC: &str = "Basic YWRhOmh1bnRlcjI=";

fn ada(host: &str, password: &str) -> Client {
    let login = Login::Password {
        username: "ada".into(),
        password: Secret::new(password),
    };
    Client::new(Options {
        credentials: Credentials::default().with_login(host, login),
        ..options()
    })
}

fn name(registry: &Registry) -> String {
    format!("{}/team/app:v1", registry.host())
}

#[test]
fn basic_is_answered_with_the_password() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    scene
        .push(&ada(registry.host(), "hunter2"), &[name(&registry)])
        .unwrap();
    assert!(registry.has_tag("team/app", "v1"));
    let first = registry.take().remove(0);
    assert!(!first.headers.contains_key("authorization"), "{first:?}");
}

#[test]
fn a_token_is_fetched_once_with_the_password_and_used_for_all() {
    let (scene, registry, tokens) = (Scene::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token?x=1"),
    });
    tokens.page("/token", r#"{"token":"t0k3n","expires_in":300}"#);
    scene
        .push(&ada(registry.host(), "hunter2"), &[name(&registry)])
        .unwrap();
    assert!(registry.has_tag("team/app", "v1"));
    let asked = tokens.take();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        asked[0].path,
        "/token?x=1&service=tests&scope=repository%3Ateam%2Fapp%3Apull%2Cpush"
    );
    assert_eq!(asked[0].headers["authorization"], BASIC);
    for request in registry.take() {
        let shown = request.headers.get("authorization");
        assert!(shown.is_none_or(|it| it == "Bearer t0k3n"), "{request:?}");
    }
}

#[test]
fn a_token_with_odd_fields_is_fetched_once_and_used() {
    let scene = Scene::new();
    for answer in [
        r#"{"token":"","access_token":"t0k3n","expires_in":-1}"#,
        r#"{"token":"t0k3n","expires_in":"300","issued_at":null}"#,
        r#"{"token":"t0k3n","expires_in":0.5e9,"more":{}}"#,
    ] {
        let (registry, tokens) = (Registry::start(), Registry::start());
        registry.guard(Guard::Token {
            token: "t0k3n".into(),
            realm: tokens.url("/token"),
        });
        tokens.page("/token", answer);
        let client = ada(registry.host(), "hunter2");
        scene.push(&client, &[name(&registry)]).unwrap();
        assert_eq!(tokens.requests(), ["GET /token"], "{answer}");
    }
}

#[test]
fn a_token_endpoint_that_moved_is_followed_and_only_its_own_host_gets_the_password() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let (tokens, other) = (Registry::start(), Registry::start());
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    });
    let moved = |to: String| Fault::Answer(307, vec![("Location", to)], String::new());
    tokens.fail("GET /token", [moved("/new".into())]);
    tokens.fail("GET /new", [moved(other.url("/token"))]);
    other.page("/token", r#"{"token":"t0k3n"}"#);
    scene
        .push(&ada(registry.host(), "hunter2"), &[name(&registry)])
        .unwrap();
    for request in tokens.take() {
        assert_eq!(request.headers["authorization"], BASIC, "{request:?}");
    }
    let asked = other.take();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(!asked[0].headers.contains_key("authorization"), "{asked:?}");
}

#[test]
fn a_mount_asks_for_the_right_to_pull_from_the_other_repository() {
    let (scene, registry, tokens) = (Scene::new(), Registry::start(), Registry::start());
    let guard = Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    };
    registry.guard(guard);
    tokens.page("/token", r#"{"access_token":"t0k3n"}"#);
    let base = format!("{}/base", registry.host()).parse().unwrap();
    let client = ada(registry.host(), "hunter2").mounting(vec![base]);
    scene.push(&client, &[name(&registry)]).unwrap();
    let asked = tokens.take();
    let path = &asked.last().unwrap().path;
    assert!(path.contains("scope=repository%3Abase%3Apull"), "{path}");
    assert!(
        path.contains("scope=repository%3Ateam%2Fapp%3Apull%2Cpush"),
        "{path}"
    );
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[test]
fn an_identity_token_is_exchanged_by_post_and_shown_to_the_token_endpoint_alone() {
    let (scene, registry, tokens) = (Scene::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    });
    tokens.fail(
        "POST /token",
        [Fault::Answer(
            200,
            Vec::new(),
            r#"{"access_token":"t0k3n"}"#.into(),
        )],
    );
    let login = Login::Identity(Secret::new("refresh/me"));
    let client = Client::new(Options {
        credentials: Credentials::default().with_login(registry.host(), login),
        ..options()
    });
    scene.push(&client, &[name(&registry)]).unwrap();
    assert_eq!(tokens.requests(), ["POST /token"]);
    for request in registry.take() {
        assert!(!format!("{request:?}").contains("refresh"), "{request:?}");
    }
}

#[test]
fn a_token_that_is_no_longer_good_is_fetched_anew() {
    let (scene, registry, tokens) = (Scene::new(), Registry::start(), Registry::start());
    let realm = tokens.url("/token");
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: realm.clone(),
    });
    tokens.page("/token", r#"{"token":"t0k3n"}"#);
    let expired = |request| {
        let challenge = format!("Bearer realm=\"{realm}\",scope=\"repository:team/app:pull,push\"");
        registry.fail(
            request,
            [Fault::Answer(
                401,
                vec![("WWW-Authenticate", challenge)],
                String::new(),
            )],
        );
    };
    expired("PUT /v2/team/app/blobs/");
    expired("PUT /v2/team/app/manifests/v1");
    scene
        .push(&ada(registry.host(), "hunter2"), &[name(&registry)])
        .unwrap();
    assert!(registry.has_tag("team/app", "v1"));
}

#[test]
fn a_bad_password_and_none_at_all_are_told_apart_and_never_printed() {
    let (scene, registry, tokens) = (Scene::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let error = scene
        .push(&ada(registry.host(), "s3cret"), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::BadLogin { .. }), "{error}");
    assert!(error.to_string().contains("podman login"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    let error = scene
        .push(&scene::client(), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::NoLogin { .. }), "{error}");

    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    });
    tokens.fail("GET /token", vec![Fault::status(401); 2]);
    let error = scene
        .push(&ada(registry.host(), "s3cret"), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::BadLogin { .. }), "{error}");
    let error = scene
        .push(&scene::client(), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::NoLogin { .. }), "{error}");
    let client = ada(registry.host(), "s3cret");
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[test]
fn a_login_without_the_right_to_push_is_told_so() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let said = r#"{"errors":[{"code":"DENIED","message":"readers only"}]}"#;
    registry.fail(
        "POST ",
        vec![Fault::Answer(403, Vec::new(), said.into()); 9],
    );
    let error = scene
        .push(&scene::client(), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("no right to push to") && error.contains("readers only"),
        "{error}"
    );
}

#[test]
fn a_login_is_not_shown_to_another_host_that_takes_an_upload() {
    let (scene, registry, other) = (Scene::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let client = ada(registry.host(), "hunter2");
    registry.fail(
        "POST ",
        vec![Fault::Header("Location", other.url("/v2/team/app/blobs/uploads/9")); 5],
    );
    // The other host takes the uploads, and says nothing more of it.
    other.fail("PATCH ", vec![Fault::status(202); 5]);
    other.fail("PUT ", vec![Fault::status(201); 5]);
    // So the registry lacks them when the manifests come.
    let error = scene.push(&client, &[name(&registry)]).unwrap_err();
    assert!(
        error.to_string().contains("MANIFEST_BLOB_UNKNOWN"),
        "{error}"
    );
    let seen = other.take();
    assert_eq!(seen.len(), 10, "{seen:?}");
    for request in seen {
        assert!(
            !request.headers.contains_key("authorization"),
            "{request:?}"
        );
    }
}

#[test]
fn an_upload_that_is_redirected_goes_to_the_other_host_without_the_login() {
    for status in [301, 302, 307, 308] {
        let (scene, registry, other) = (Scene::new(), Registry::start(), Registry::start());
        registry.guard(Guard::Basic(BASIC.into()));
        let location = vec![("Location", other.url("/v2/team/app/blobs/uploads/"))];
        registry.fail(
            "POST ",
            vec![Fault::Answer(status, location, String::new()); 5],
        );
        let client = ada(registry.host(), "hunter2");
        let error = scene.push(&client, &[name(&registry)]).unwrap_err();
        // They are there and not here.
        assert!(
            error.to_string().contains("MANIFEST_BLOB_UNKNOWN"),
            "{error}"
        );
        assert_eq!(other.blobs("team/app"), 5);
        for request in other.take() {
            let shown = request.headers.get("authorization");
            assert_eq!(shown, None, "{request:?}");
            let length = request.headers.get("content-length");
            assert!(request.method != "POST" || length.is_some_and(|it| it == "0"));
        }
    }
}

#[test]
fn a_redirect_within_the_registry_keeps_the_login_and_one_without_end_is_an_error() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let moved = |to: &str| Fault::Answer(307, vec![("Location", to.into())], String::new());
    registry.fail("GET /v2/", [moved("./")]);
    registry.fail("HEAD /v2/team/app/manifests/v1", [moved("v1")]);
    registry.fail("POST ", [moved("/v2/team/app/blobs/uploads/"), moved("")]);
    registry.fail("PUT /v2/team/app/manifests/v1", [moved("v1?x=1")]);
    let client = ada(registry.host(), "hunter2");
    let error = scene.push(&client, &[name(&registry)]).unwrap_err();
    assert!(error.to_string().contains("no address"), "{error}");
    scene.push(&client, &[name(&registry)]).unwrap();
    assert!(registry.has_tag("team/app", "v1"));

    registry.fail("HEAD ", vec![moved("v1"); 9]);
    let error = scene.push(&client, &[name(&registry)]).unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
}

#[test]
fn a_blob_comes_from_the_host_that_a_registry_sends_to_without_the_login() {
    let (scene, registry, storage) = (Scene::new(), Registry::start(), Registry::start());
    scene.push(&scene::client(), &[name(&registry)]).unwrap();
    registry.guard(Guard::Basic(BASIC.into()));
    let config = scene.layout.images().unwrap()[0].config().clone();
    let digest = config.descriptor().digest;
    storage.page(
        "/storage",
        String::from_utf8(config.bytes().to_vec()).unwrap(),
    );
    registry.fail(
        &format!("GET /v2/team/app/blobs/{digest}"),
        [Fault::Answer(
            307,
            vec![("Location", storage.url("/storage"))],
            String::new(),
        )],
    );
    let reference: Reference = name(&registry).parse().unwrap();
    let to = scene.directory.path().join("pulled");
    let client = ada(registry.host(), "hunter2");
    pull(&client, &reference, Contents::Documents, &to).unwrap();
    let seen = storage.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(!seen[0].headers.contains_key("authorization"), "{seen:?}");
}

#[test]
fn a_login_is_for_its_host_only() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let error = scene.push(&ada("registry.example", "hunter2"), &[name(&registry)]);
    assert!(matches!(error.unwrap_err(), Error::NoLogin { .. }));
    for request in registry.take() {
        assert!(
            !request.headers.contains_key("authorization"),
            "{request:?}"
        );
    }
}

#[test]
fn a_realm_that_is_no_address_of_a_web_server_is_refused() {
    for realm in ["file:///etc/passwd", "", "http://registry.example/token"] {
        let (scene, registry) = (Scene::new(), Registry::start());
        registry.guard(Guard::Token {
            token: "t".into(),
            realm: realm.into(),
        });
        let error = scene.push(&ada(registry.host(), "hunter2"), &[name(&registry)]);
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{realm}: {error}");
    }
}

/// What is found for a repository in a file with this content.
fn found(content: &str, repository: &str) -> Found {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("auth.json");
    fs::write(&file, content).unwrap();
    let missing = directory.path().join("missing.json");
    let repository: Repository = repository.parse().unwrap();
    Credentials::in_files(vec![missing, file]).find(&repository)
}

fn password(username: &str, password: &str) -> Option<Login> {
    Some(Login::Password {
        username: username.into(),
        password: Secret::new(password),
    })
}

#[test]
fn the_login_of_the_nearest_namespace_wins() {
    // b:2, c:3, a:1:x
    let file = r#"{"auths": {
        "h.example/team": {"auth": "Yjoy"},
        "h.example/team/app": {"auth": "Yzoz"},
        "h.example": {"auth": "YToxOng="}
    }}"#;
    let of = |repository| found(file, repository).login;
    assert_eq!(of("h.example/team/app"), password("c", "3"));
    assert_eq!(of("h.example/team/other"), password("b", "2"));
    assert_eq!(of("h.example/teams"), password("a", "1:x"));
    assert_eq!(of("other.example/team"), None);
}

#[test]
fn dockers_old_ways_of_writing_a_host_are_understood() {
    let file = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "YTox"},
        "https://h.example/v2/": {"username": "b", "password": "2"},
        "i.example/v1/": {"identitytoken": "t"},
        "j.example": {}
    }}"#;
    let of = |repository| found(file, repository).login;
    assert_eq!(of("debian"), password("a", "1"));
    assert_eq!(of("h.example/app"), password("b", "2"));
    assert_eq!(of("i.example/app"), Some(Login::Identity(Secret::new("t"))));
    assert_eq!(of("j.example/app"), None);
}

#[test]
fn a_broken_login_is_passed_over_and_named_without_what_is_in_it() {
    for content in [
        r#"{"auths": {"h.example": {"auth": "hunter2"}}}"#,
        r#"{"auths": {"h.example": {"auth": "aHVudGVyMg=="}}}"#,
        r#"{"auths": {"h.example": "hunter2"}}"#,
        r#"{"auths": hunter2"#,
    ] {
        let found = found(content, "h.example/app");
        assert_eq!(found.login, None);
        let problems = format!("{} {:?}", found.problems[0], found.problems);
        assert!(problems.contains("auth.json"), "{problems}");
        assert!(
            !problems.contains("hunter2") && !problems.contains("aHVu"),
            "{problems}"
        );
    }
    let content = r#"{"auths": {"a.example": 7, "h.example": null, "https://h.example": {"auth": "?"},
        "h.example/v1/": {"auth": "YTox"}}}"#;
    let found = found(content, "h.example/app");
    assert_eq!(found.login, password("a", "1"));
}

#[test]
fn a_login_that_could_not_be_read_is_named_where_it_is_missed() {
    let (scene, registry) = (Scene::new(), Registry::start());
    let directory = tempfile::tempdir().unwrap();
    let [broken, good] = ["broken.json", "good.json"].map(|it| directory.path().join(it));
    fs::write(&broken, "{").unwrap();
    let client = Client::new(Options {
        credentials: Credentials::in_files(vec![broken, good.clone()]),
        ..options()
    });
    // Without need it is no matter.
    scene.push(&client, &[name(&registry)]).unwrap();

    registry.guard(Guard::Basic(BASIC.into()));
    let error = scene.push(&client, &[format!("{}/two", registry.host())]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("broken.json: line 1 is not JSON"), "{error}");
    assert!(error.contains("podman login"), "{error}");

    let auths = format!(
        r#"{{"auths": {{"http://{}/v2/": {{"auth": "YWRhOmh1bnRlcjI"}}}}}}"#,
        registry.host()
    );
    fs::write(&good, auths).unwrap();
    scene
        .push(&client, &[format!("{}/three", registry.host())])
        .unwrap();
}

#[test]
fn a_registry_that_does_not_say_what_it_wants_gets_the_password() {
    let (scene, registry) = (Scene::new(), Registry::start());
    registry.guard(Guard::Silent(BASIC.into()));
    let client = ada(registry.host(), "hunter2");
    scene.push(&client, &[name(&registry)]).unwrap();
    let error = scene.push(&ada(registry.host(), "x"), &[name(&registry)]);
    assert!(matches!(error.unwrap_err(), Error::BadLogin { .. }));
}

#[test]
fn a_helper_is_asked_where_a_file_names_one() {
    let directory = tempfile::tempdir().unwrap();
    let helper = directory.path().join("docker-credential-slipway-test");
    // Nix's sandbox has a shell elsewhere.
    let shell = match Path::new("/bin/sh").exists() {
        true => "/bin/sh".to_owned(),
        false => std::env::var("SHELL").unwrap(),
    };
    let script = r#"
read -r server || true
case "$1 $server" in
  "get h.example") echo '{"ServerURL":"h.example","Username":"ada","Secret":"hunter2"}' ;;
  "get https://index.docker.io/v1/") echo '{"ServerURL":"","Username":"<token>","Secret":"t"}' ;;
  "get broken.example") echo '{"Secret":"hunter2"'; exit 1 ;;
  "get locked.example") echo 'the keyring is locked'; exit 1 ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"#;
    fs::write(&helper, format!("#!{shell}{script}")).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    // SAFETY: no other test of this program reads the environment.
    unsafe { std::env::set_var("PATH", format!("{}:{path}", directory.path().display())) };

    let store = r#"{"credsStore": "slipway-test", "auths": {"z.example": {"auth": "YTox"}}}"#;
    let of = |repository| found(store, repository);
    assert_eq!(of("h.example/app").login, password("ada", "hunter2"));
    assert_eq!(of("debian").login, Some(Login::Identity(Secret::new("t"))));
    assert_eq!(of("z.example/app").login, password("a", "1"));
    let nothing = of("y.example/app");
    assert!(nothing.login.is_none() && nothing.problems.is_empty());
    let problem = |found: Found| found.problems[0].to_string();
    let locked = problem(of("locked.example/app"));
    assert!(locked.contains("the keyring is locked"), "{locked}");
    let broken = problem(of("broken.example/app"));
    assert!(!broken.contains("hunter2"), "{broken}");

    let one = r#"{
        "credHelpers": {"h.example": "slipway-test", "x.example": "no-such", "y.example": "../x", "z.example": ""},
        "auths": {"x.example": {"auth": "YTox"}, "z.example": {"auth": "YTox"}}
    }"#;
    assert_eq!(
        found(one, "h.example/app").login,
        password("ada", "hunter2")
    );
    // The next place has it.
    let missing = found(one, "x.example/app");
    assert_eq!(missing.login, password("a", "1"));
    let missing = problem(missing);
    assert!(
        missing.contains("docker-credential-no-such") && missing.contains("install it"),
        "{missing}"
    );
    assert_eq!(found(one, "y.example/app").problems.len(), 1);
    let twice = r#"{"credsStore": "no-such", "auths": {"https://h.example": {}}}"#;
    assert_eq!(found(twice, "h.example/app").problems.len(), 1);
    let empty = found(one, "z.example/app");
    assert_eq!(empty.login, password("a", "1"));
    assert!(empty.problems.is_empty());
}
