//! Which files of a project are documents, told by their names.

/// Starts of the names of licenses, in lower case.
const LICENSES: [&str; 3] = ["copying", "licence", "license"];

/// Starts of the names of further documents, in lower case.
const OTHERS: [&str; 3] = ["changelog", "notice", "readme"];

/// Whether a file of this name is a license.
pub(crate) fn is_license(name: &str) -> bool {
    starts_with(name, &LICENSES)
}

/// Whether every archive and package has a file of this name, if it is in the project's directory.
pub fn is_document(name: &str) -> bool {
    is_license(name) || starts_with(name, &OTHERS)
}

fn starts_with(name: &str, starts: &[&str]) -> bool {
    let lower = name.to_lowercase();
    starts.iter().any(|start| lower.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_documents() {
        for name in ["LICENSE-MIT", "Licence", "COPYING.txt"] {
            assert!(is_license(name) && is_document(name), "{name}");
        }
        for name in ["README.md", "Changelog", "NOTICE"] {
            assert!(!is_license(name) && is_document(name), "{name}");
        }
        assert!(!is_document("main.go"));
    }
}
