//! Registries explain what they refuse, in JSON if one is lucky; this is what of that a user gets
//! to see.

use std::io::Read;

use serde::Deserialize;
use ureq::Body;
use ureq::http::Response;

use crate::error::quote;

/// More of an explanation is not read.
const LIMIT: u64 = 64 << 10;

/// What a registry said when it refused a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// The first error: ` (CODE: message)` or nothing, to be put into an error.
    pub said: String,
}

/// Source: OCI distribution-spec, "Error Codes"; `details` is of token endpoints.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    errors: Vec<Entry>,
    details: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
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

    fn parse(status: u16, bytes: &[u8]) -> Self {
        let document: Option<Document> = serde_json::from_slice(bytes).ok();
        let details = document.as_ref().and_then(|it| it.details.clone());
        let entry = document
            .and_then(|it| it.errors.into_iter().next())
            .unwrap_or_default();
        let code = quote(&entry.code);
        let message = quote(&match entry.message.is_empty() {
            true => details.unwrap_or_default(),
            false => entry.message,
        });
        let said = match (code.as_str(), message.as_str()) {
            ("", "") => String::new(),
            (code, "") => format!(" ({code})"),
            ("", message) => format!(" ({message})"),
            (code, message) => format!(" ({code}: {message})"),
        };
        Self { status, said }
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
