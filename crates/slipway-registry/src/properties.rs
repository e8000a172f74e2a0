//! Property tests: parsers of registry responses, token responses and auth files do not panic on
//! arbitrary input.

use proptest::prelude::*;

use crate::auth_file::AuthFile;
use crate::challenge::Challenge;
use crate::token::Grant;
use crate::{Reference, Repository};

/// Generates JSON objects that have the expected field names with arbitrary values.
fn json(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|it| it.to_string()),
        "[ -!#-\\[\\]-~]{0,20}".prop_map(|it| format!("\"{it}\"")),
        "[\\[\\]{},:]{0,4}",
    ];
    let field = (proptest::sample::select(names), value);
    let fields = proptest::collection::vec(field, 0..4);
    fields.prop_map(|fields| {
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}

proptest! {
    #[test]
    fn reference_display_and_parse_round_trip(text in "[a-z0-9.:/@_-]{0,60}") {
        if let Ok(reference) = text.parse::<Reference>() {
            let shown = reference.to_string();
            prop_assert_eq!(shown.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn parsing_any_text_as_reference_does_not_panic(text in ".{0,300}") {
        if let Err(error) = text.parse::<Reference>() {
            prop_assert!(!error.to_string().contains('\n'));
        }
        let _ = text.parse::<Repository>();
    }

    #[test]
    fn parsing_any_token_response_does_not_panic(
        text in json(&["token", "access_token", "expires_in"]),
        bytes in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = Grant::parse(text.as_bytes());
        let _ = Grant::parse(&bytes);
    }

    #[test]
    fn parsing_any_challenge_does_not_panic(text in "(Basic|Bearer|[a-z=\",\\\\ ]){0,30}") {
        let _ = Challenge::choose([text.as_str()].into_iter());
    }

    #[test]
    fn parsing_any_auth_file_does_not_panic(
        entry in json(&["auth", "username", "password", "identitytoken", "registrytoken"]),
    ) {
        let file = format!(r#"{{"auths": {{"h.example": {entry}}}, "credHelpers": {entry}}}"#);
        if let Ok(file) = AuthFile::parse(file.as_bytes()) {
            let repository: Repository = "h.example/app".parse().unwrap();
            let _ = file.sources(&repository).len();
        }
        let _ = AuthFile::parse(entry.as_bytes());
    }
}
