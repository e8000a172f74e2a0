//! Authentication: which host receives which credentials.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic fails the test"
)]

mod fixture;
mod registry;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fixture::{Fixture, options};
use registry::{Fault, Guard, Registry};
use slipway_progress::Silent;
use slipway_registry::credentials::Found;
use slipway_registry::{
    Client, Contents, Credential, Credentials, Error, Options, Reference, Secret, pull,
};
use tempfile::TempDir;

/// `ada:hunter2`
const BASIC: &str = "Basic YWRhOmh1bnRlcjI=";

fn ada(host: &str, password: &str) -> Client {
    let login = Credential::Password {
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
fn sends_the_password_for_basic_challenges() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    fixture
        .push(&ada(registry.host(), "hunter2"), &[name(&registry)])
        .unwrap();
    assert!(registry.has_tag("team/app", "v1"));
    let first = registry.take().remove(0);
    assert!(!first.headers.contains_key("authorization"), "{first:?}");
}

#[test]
fn fetches_a_token_once_and_reuses_it() {
    let (fixture, registry, tokens) = (Fixture::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token?x=1"),
    });
    tokens.page("/token", r#"{"token":"t0k3n","expires_in":300}"#);
    fixture
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
fn accepts_tokens_with_unusual_fields() {
    let fixture = Fixture::new();
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
        fixture.push(&client, &[name(&registry)]).unwrap();
        assert_eq!(tokens.requests(), ["GET /token"], "{answer}");
    }
}

#[test]
fn follows_redirects_of_the_token_endpoint_without_sending_the_password_elsewhere() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let (tokens, other) = (Registry::start(), Registry::start());
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    });
    let moved = |to: String| Fault::ErrorResponse(307, vec![("Location", to)], String::new());
    tokens.fail("GET /token", [moved("/new".into())]);
    tokens.fail("GET /new", [moved(other.url("/token"))]);
    other.page("/token", r#"{"token":"t0k3n"}"#);
    fixture
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
fn requests_pull_scope_for_mounts() {
    let (fixture, registry, tokens) = (Fixture::new(), Registry::start(), Registry::start());
    let guard = Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    };
    registry.guard(guard);
    tokens.page("/token", r#"{"access_token":"t0k3n"}"#);
    let base = format!("{}/base", registry.host()).parse().unwrap();
    let client = ada(registry.host(), "hunter2").mounting(vec![base]);
    fixture.push(&client, &[name(&registry)]).unwrap();
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
fn sends_identity_tokens_only_to_the_token_endpoint() {
    let (fixture, registry, tokens) = (Fixture::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    });
    tokens.fail(
        "POST /token",
        [Fault::ErrorResponse(
            200,
            Vec::new(),
            r#"{"access_token":"t0k3n"}"#.into(),
        )],
    );
    let login = Credential::Identity(Secret::new("refresh/me"));
    let client = Client::new(Options {
        credentials: Credentials::default().with_login(registry.host(), login),
        ..options()
    });
    fixture.push(&client, &[name(&registry)]).unwrap();
    assert_eq!(tokens.requests(), ["POST /token"]);
    for request in registry.take() {
        assert!(!format!("{request:?}").contains("refresh"), "{request:?}");
    }
}

#[test]
fn renews_expired_tokens() {
    let (fixture, registry, tokens) = (Fixture::new(), Registry::start(), Registry::start());
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
            [Fault::ErrorResponse(
                401,
                vec![("WWW-Authenticate", challenge)],
                String::new(),
            )],
        );
    };
    expired("PUT /v2/team/app/blobs/");
    expired("PUT /v2/team/app/manifests/v1");
    fixture
        .push(&ada(registry.host(), "hunter2"), &[name(&registry)])
        .unwrap();
    assert!(registry.has_tag("team/app", "v1"));
}

#[test]
fn distinguishes_wrong_and_missing_passwords_without_printing_them() {
    let (fixture, registry, tokens) = (Fixture::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let error = fixture
        .push(&ada(registry.host(), "s3cret"), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::BadLogin { .. }), "{error}");
    assert!(error.to_string().contains("podman login"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    let error = fixture
        .push(&fixture::client(), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::NoLogin { .. }), "{error}");

    registry.guard(Guard::Token {
        token: "t0k3n".into(),
        realm: tokens.url("/token"),
    });
    tokens.fail("GET /token", vec![Fault::status(401); 2]);
    let error = fixture
        .push(&ada(registry.host(), "s3cret"), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::BadLogin { .. }), "{error}");
    let error = fixture
        .push(&fixture::client(), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::NoLogin { .. }), "{error}");
    let client = ada(registry.host(), "s3cret");
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[test]
fn reports_missing_push_permission() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let said = r#"{"errors":[{"code":"DENIED","message":"readers only"}]}"#;
    registry.fail(
        "POST ",
        vec![Fault::ErrorResponse(403, Vec::new(), said.into()); 9],
    );
    let error = fixture
        .push(&fixture::client(), &[name(&registry)])
        .unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    let error = error.to_string();
    assert!(
        error.contains("no right to push to") && error.contains("readers only"),
        "{error}"
    );
}

#[test]
fn does_not_send_the_login_to_other_upload_hosts() {
    let (fixture, registry, other) = (Fixture::new(), Registry::start(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let client = ada(registry.host(), "hunter2");
    registry.fail(
        "POST ",
        vec![Fault::Header("Location", other.url("/v2/team/app/blobs/uploads/9")); 5],
    );
    // The other host accepts the uploads without storing them.
    other.fail("PATCH ", vec![Fault::status(202); 5]);
    other.fail("PUT ", vec![Fault::status(201); 5]);
    // The registry therefore lacks the blobs when the manifests arrive.
    let error = fixture.push(&client, &[name(&registry)]).unwrap_err();
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
fn follows_upload_redirects_without_the_login() {
    for status in [301, 302, 307, 308] {
        let (fixture, registry, other) = (Fixture::new(), Registry::start(), Registry::start());
        registry.guard(Guard::Basic(BASIC.into()));
        let location = vec![("Location", other.url("/v2/team/app/blobs/uploads/"))];
        registry.fail(
            "POST ",
            vec![Fault::ErrorResponse(status, location, String::new()); 5],
        );
        let client = ada(registry.host(), "hunter2");
        let error = fixture.push(&client, &[name(&registry)]).unwrap_err();
        // The blobs are on the other host and not on this one.
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
fn keeps_the_login_on_redirects_within_the_registry_and_limits_redirects() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let moved = |to: &str| Fault::ErrorResponse(307, vec![("Location", to.into())], String::new());
    registry.fail("GET /v2/", [moved("./")]);
    registry.fail("HEAD /v2/team/app/manifests/v1", [moved("v1")]);
    registry.fail("POST ", [moved("/v2/team/app/blobs/uploads/"), moved("")]);
    registry.fail("PUT /v2/team/app/manifests/v1", [moved("v1?x=1")]);
    let client = ada(registry.host(), "hunter2");
    let error = fixture.push(&client, &[name(&registry)]).unwrap_err();
    assert!(error.to_string().contains("not an address"), "{error}");
    fixture.push(&client, &[name(&registry)]).unwrap();
    assert!(registry.has_tag("team/app", "v1"));

    registry.fail("HEAD ", vec![moved("v1"); 9]);
    let error = fixture.push(&client, &[name(&registry)]).unwrap_err();
    assert!(error.to_string().contains("more than 5 times"), "{error}");
}

#[test]
fn follows_blob_redirects_without_the_login() {
    let (fixture, registry, storage) = (Fixture::new(), Registry::start(), Registry::start());
    fixture
        .push(&fixture::client(), &[name(&registry)])
        .unwrap();
    registry.guard(Guard::Basic(BASIC.into()));
    let config = fixture.layout.images().unwrap()[0].config().clone();
    let digest = config.descriptor().digest;
    storage.page(
        "/storage",
        String::from_utf8(config.bytes().to_vec()).unwrap(),
    );
    registry.fail(
        &format!("GET /v2/team/app/blobs/{digest}"),
        [Fault::ErrorResponse(
            307,
            vec![("Location", storage.url("/storage"))],
            String::new(),
        )],
    );
    let reference: Reference = name(&registry).parse().unwrap();
    let to = fixture.directory.path().join("pulled");
    let client = ada(registry.host(), "hunter2");
    pull(&client, &reference, Contents::Documents, &to, &Silent).unwrap();
    let seen = storage.take();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(!seen[0].headers.contains_key("authorization"), "{seen:?}");
}

#[test]
fn sends_a_login_only_to_its_host() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.guard(Guard::Basic(BASIC.into()));
    let error = fixture.push(&ada("registry.example", "hunter2"), &[name(&registry)]);
    assert!(matches!(error.unwrap_err(), Error::NoLogin { .. }));
    for request in registry.take() {
        assert!(
            !request.headers.contains_key("authorization"),
            "{request:?}"
        );
    }
}

#[test]
fn rejects_realms_that_are_not_http_urls() {
    for realm in ["file:///etc/passwd", "", "http://registry.example/token"] {
        let (fixture, registry) = (Fixture::new(), Registry::start());
        registry.guard(Guard::Token {
            token: "t".into(),
            realm: realm.into(),
        });
        let error = fixture.push(&ada(registry.host(), "hunter2"), &[name(&registry)]);
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{realm}: {error}");
    }
}

/// Writes an auth file. It exists as long as the returned directory.
fn in_file(content: &str) -> (Credentials, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("auth.json");
    fs::write(&file, content).unwrap();
    let missing = directory.path().join("missing.json");
    (Credentials::in_files(vec![missing, file]), directory)
}

fn found(content: &str, repository: &str) -> Found {
    let (credentials, _directory) = in_file(content);
    credentials.find(&repository.parse().unwrap())
}

fn password(username: &str, password: &str) -> Option<Credential> {
    Some(Credential::Password {
        username: username.into(),
        password: Secret::new(password),
    })
}

#[test]
fn prefers_the_login_of_the_most_specific_namespace() {
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
fn accepts_old_docker_host_spellings() {
    let file = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "YTox"},
        "https://h.example/v2/": {"username": "b", "password": "2"},
        "i.example/v1/": {"identitytoken": "t"},
        "j.example": {}
    }}"#;
    let of = |repository| found(file, repository).login;
    assert_eq!(of("debian"), password("a", "1"));
    assert_eq!(of("h.example/app"), password("b", "2"));
    assert_eq!(
        of("i.example/app"),
        Some(Credential::Identity(Secret::new("t")))
    );
    assert_eq!(of("j.example/app"), None);
}

#[test]
fn skips_and_reports_broken_logins_without_printing_them() {
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
fn reports_unreadable_logins_when_a_login_is_required() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    let directory = tempfile::tempdir().unwrap();
    let [broken, good] = ["broken.json", "good.json"].map(|it| directory.path().join(it));
    fs::write(&broken, "{").unwrap();
    let client = Client::new(Options {
        credentials: Credentials::in_files(vec![broken, good.clone()]),
        ..options()
    });
    // The unreadable login does not matter if the registry requires none.
    fixture.push(&client, &[name(&registry)]).unwrap();

    registry.guard(Guard::Basic(BASIC.into()));
    let error = fixture.push(&client, &[format!("{}/two", registry.host())]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("broken.json: line 1 is not JSON"), "{error}");
    assert!(error.contains("podman login"), "{error}");

    let auths = format!(
        r#"{{"auths": {{"http://{}/v2/": {{"auth": "YWRhOmh1bnRlcjI"}}}}}}"#,
        registry.host()
    );
    fs::write(&good, auths).unwrap();
    fixture
        .push(&client, &[format!("{}/three", registry.host())])
        .unwrap();
}

#[test]
fn sends_the_password_when_the_challenge_is_missing() {
    let (fixture, registry) = (Fixture::new(), Registry::start());
    registry.guard(Guard::Silent(BASIC.into()));
    let client = ada(registry.host(), "hunter2");
    fixture.push(&client, &[name(&registry)]).unwrap();
    let error = fixture.push(&ada(registry.host(), "x"), &[name(&registry)]);
    assert!(matches!(error.unwrap_err(), Error::BadLogin { .. }));
}

#[test]
fn runs_the_credential_helper_that_a_file_names() {
    let directory = tempfile::tempdir().unwrap();
    let helper = directory.path().join("docker-credential-slipway-test");
    // Nix's sandbox has its shell at another path.
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
    let found = |content: &str, repository: &str| {
        let (credentials, _file) = in_file(content);
        let credentials = credentials.with_helpers_in(directory.path().to_owned());
        credentials.find(&repository.parse().unwrap())
    };

    let store = r#"{"credsStore": "slipway-test", "auths": {"z.example": {"auth": "YTox"}}}"#;
    let of = |repository| found(store, repository);
    assert_eq!(of("h.example/app").login, password("ada", "hunter2"));
    assert_eq!(
        of("debian").login,
        Some(Credential::Identity(Secret::new("t")))
    );
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
    // The next source has the login.
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
