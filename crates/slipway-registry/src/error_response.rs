//! Parses error responses and extracts the explanation to show to the user.

use std::io::Read;

use serde_json::Value;
use ureq::Body;
use ureq::http::Response;

use crate::error::quote;

/// Size limit on an error response, in bytes.
const LIMIT: u64 = 64 << 10;

/// An error response.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    pub status: u16,
    /// Code of the first error, such as `DIGEST_INVALID`, or empty.
    pub code: String,
    /// The first error in the form ` (CODE: message)`, or empty; for use in error messages.
    pub said: String,
}

impl ErrorResponse {
    pub fn read(response: Response<Body>) -> Self {
        let status = response.status().as_u16();
        let mut bytes = Vec::new();
        // Ignore read errors: a truncated explanation is treated as missing.
        let _ = response
            .into_body()
            .into_reader()
            .take(LIMIT)
            .read_to_end(&mut bytes);
        Self::parse(status, &bytes)
    }

    /// Parses the body. Source: OCI distribution-spec, "Error Codes". Token endpoints use
    /// `details`, and OAuth 2 (RFC 6749, section 5.2) uses `error` with `error_description`.
    pub fn parse(status: u16, bytes: &[u8]) -> Self {
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
    fn quotes_the_first_error() {
        let json = br#"{"errors":[{"code":"NAME_INVALID","message":"bad\u001b[2J\nname","detail":{"x":1}},{"code":"B"}]}"#;
        let answer = ErrorResponse::parse(400, json);
        assert_eq!(answer.said, " (NAME_INVALID: bad [2J name)");
    }

    #[test]
    fn quotes_oauth_errors_and_errors_with_nulls() {
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
            assert_eq!(
                ErrorResponse::parse(400, json.as_bytes()).said,
                said,
                "{json}"
            );
        }
    }

    #[test]
    fn does_not_quote_html_and_unknown_json() {
        for text in [
            "",
            "<html>",
            "[]",
            "{\"errors\":3}",
            "{\"errors\":[]}",
            "null",
        ] {
            assert_eq!(
                ErrorResponse::parse(500, text.as_bytes()).said,
                "",
                "{text}"
            );
        }
    }
}
