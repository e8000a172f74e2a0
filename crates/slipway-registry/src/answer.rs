//! Registries explain what they refuse, in JSON if one is lucky; this is what of that a user gets
//! to see.

use std::io::Read;

use serde_json::Value;
use ureq::Body;
use ureq::http::Response;

use crate::error::quote;

/// More of an explanation is not read.
const LIMIT: u64 = 64 << 10;

/// What a registry said when it refused a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// The first error's code, such as `DIGEST_INVALID`, or nothing.
    pub code: String,
    /// The first error: ` (CODE: message)` or nothing, to be put into an error.
    pub said: String,
}

impl Answer {
    pub fn read(response: Response<Body>) -> Self {
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        // An explanation that is cut off is as good as none.
        let _ = response
            .into_body()
            .into_reader()
            .take(LIMIT)
            .read_to_end(&mut bytes);
        Self::parse(status, &bytes)
    }

    /// Source: OCI distribution-spec, "Error Codes"; `details` is of token endpoints, and `error` with
    /// `error_description` of OAuth 2: RFC 6749, section 5.2.
    fn parse(status: u16, bytes: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let entry = &document["errors"][0];
        let first = |found: [&Value; 3]| {
            let mut texts = found.into_iter().filter_map(Value::as_str);
            quote(texts.find(|text| !text.is_empty()).unwrap_or_default())
        };
        let code = first([&entry["code"], &document["error"], &Value::Null]);
        let (details, description) = (&document["details"], &document["error_description"]);
        let message = first([&entry["message"], details, description]);
        let said = match (code.as_str(), message.as_str()) {
            ("", "") => String::new(),
            (code, "") => format!(" ({code})"),
            ("", message) => format!(" ({message})"),
            (code, message) => format!(" ({code}: {message})"),
        };
        Self { status, code, said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_of_a_registry_is_quoted() {
        let json = br#"{"errors":[{"code":"NAME_INVALID","message":"bad\u001b[2J\nname","detail":{"x":1}},{"code":"B"}]}"#;
        let answer = Answer::parse(400, json);
        assert_eq!(answer.said, " (NAME_INVALID: bad [2J name)");
    }

    #[test]
    fn errors_with_nulls_and_those_of_oauth_are_quoted() {
        for (json, said) in [
            (
                r#"{"errors":[{"code":"DENIED","message":null}]}"#,
                " (DENIED)",
            ),
            (r#"{"errors":[{"code":7,"message":"no"}]}"#, " (no)"),
            (
                r#"{"errors":null,"error":"invalid_grant","error_description":"expired"}"#,
                " (invalid_grant: expired)",
            ),
        ] {
            assert_eq!(Answer::parse(400, json.as_bytes()).said, said, "{json}");
        }
    }

    #[test]
    fn pages_of_html_and_odd_json_are_not_quoted() {
        for text in [
            "",
            "<html>",
            "[]",
            "{\"errors\":3}",
            "{\"errors\":[]}",
            "null",
        ] {
            assert_eq!(Answer::parse(500, text.as_bytes()).said, "", "{text}");
        }
    }
}
