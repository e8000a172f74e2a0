//! Queries the closure of store paths.

use std::fs;
use std::path::{Component, Path};

use serde_json::Value;

use crate::call::Call;
use crate::error::Error;
use crate::nix::Nix;
use slipway_store_path::StorePath;

/// A path of a closure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo {
    pub path: StorePath,
    /// The paths that it refers to, possibly including itself.
    pub references: Vec<StorePath>,
    /// Hash of its NAR in the notation of the installed Nix version. Equal hashes mean equal
    /// content.
    pub nar_hash: String,
    /// Size of its NAR, in bytes.
    pub nar_size: u64,
}

/// Most symbolic links to follow, as in the kernel (Linux, path_resolution(7)).
const LINKS: usize = 40;

impl Nix {
    /// The store path at `path`, following links that point to it, such as `./result`.
    pub fn store_path(&self, path: &Path) -> Result<StorePath, Error> {
        let io = |source| Error::Path {
            path: path.display().to_string(),
            source,
        };
        let store = Path::new(&self.store);
        let mut at = self.directory().join(path);
        for _ in 0..LINKS {
            if let Some(found) = in_store(store, &at) {
                return found;
            }
            // Do not follow links inside the store: they are content.
            let Ok(target) = fs::read_link(&at) else {
                break;
            };
            at = at.parent().unwrap_or(Path::new("/")).join(target);
        }
        let at = at.canonicalize().map_err(io)?;
        in_store(store, &at).unwrap_or_else(|| {
            Err(Error::NotOfTheStore {
                path: path.display().to_string(),
                store: self.store.clone(),
            })
        })
    }

    /// The closure of `paths`, sorted by path.
    pub fn closure(&self, paths: &[StorePath]) -> Result<Vec<PathInfo>, Error> {
        let call = self
            .nix()
            .args(["path-info", "--json", "--recursive"])
            .args(paths.iter().map(StorePath::as_str));
        let (stdout, _) = self.text(&call).map_err(|error| match error {
            Error::Failed(message) if message.ends_with("is not valid") => {
                Error::NotInStore(path_in_message(&message).to_owned())
            }
            other => other,
        })?;
        let output: Value = serde_json::from_str(&stdout).map_err(|e| call.unexpected(e))?;
        let mut infos = parse(&self.store, &output, &call)?;
        infos.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(infos)
    }
}

/// Parses a path below the store directory; `None` if it is elsewhere.
fn in_store(store: &Path, path: &Path) -> Option<Result<StorePath, Error>> {
    let mut below = path.strip_prefix(store).ok()?.components();
    let first = below.next()?;
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    if !plain(&first) || !below.clone().all(|part| plain(&part)) {
        return None;
    }
    let root = store.join(first);
    let text = root.to_string_lossy();
    Some(match below.next() {
        None => text.parse().map_err(Error::from),
        Some(_) => Err(Error::WithinStorePath {
            path: path.display().to_string(),
            root: text.into_owned(),
        }),
    })
}

/// `Nix: path '/nix/store/…' is not valid` → the path.
fn path_in_message(message: &str) -> &str {
    message.split('\'').nth(1).unwrap_or(message)
}

/// Parses the output of `nix path-info --json`.
///
/// Up to Nix 2.18 it is a list of objects with `path`; then an object by path, with null for
/// missing paths. In version 2 of the format, since Nix 2.33, that object is in `info` and its
/// paths lack the store directory.
fn parse(store: &str, output: &Value, call: &Call) -> Result<Vec<PathInfo>, Error> {
    let rows: Vec<(&str, &Value)> = match output.get("info").unwrap_or(output) {
        Value::Array(rows) => rows
            .iter()
            .map(|row| (row["path"].as_str().unwrap_or_default(), row))
            .collect(),
        Value::Object(rows) => rows
            .iter()
            .map(|(path, row)| (path.as_str(), row))
            .collect(),
        _ => return Err(call.unexpected("neither a list nor an object")),
    };
    rows.into_iter()
        .map(|(path, row)| {
            let path = StorePath::with_store(store, path)?;
            if row.is_null() || row["valid"] == Value::Bool(false) {
                return Err(Error::NotInStore(path.to_string()));
            }
            let lacks = |field: &str| call.unexpected(format!("{path} has no {field}"));
            let references = row["references"].as_array();
            let references = references.ok_or_else(|| lacks("references"))?.iter();
            let nar_hash = match &row["narHash"] {
                Value::Null => return Err(lacks("narHash")),
                Value::String(hash) => hash.clone(),
                other => other.to_string(),
            };
            Ok(PathInfo {
                references: references
                    .map(|text| StorePath::with_store(store, text.as_str().unwrap_or_default()))
                    .collect::<Result<_, _>>()?,
                nar_size: row["narSize"].as_u64().ok_or_else(|| lacks("narSize"))?,
                nar_hash,
                path,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const A: &str = "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-a";
    const B: &str = "dwrg9gsy7ym646zy6vvgp5zhhsswfaai-b";

    fn read(output: &Value) -> Result<Vec<PathInfo>, Error> {
        parse("/nix/store", output, &Call::new("nix"))
    }

    #[test]
    fn parses_old_and_new_formats() {
        let (a, b) = (format!("/nix/store/{A}"), format!("/nix/store/{B}"));
        let old = json!([{"path": a, "references": [b], "narSize": 120, "narHash": "sha256-x"}]);
        let keyed = json!({a: {"references": [b], "narSize": 120, "narHash": "sha256-x"}});
        let newest = json!({"version": 2, "storeDir": "/nix/store",
            "info": {A: {"references": [B], "narSize": 120, "narHash": {"algorithm": "sha256", "hash": "x"}}}});
        for output in [old, keyed, newest] {
            let [info] = &read(&output).unwrap()[..] else {
                panic!("not one path: {output}")
            };
            assert_eq!(info.path.name(), "a");
            assert_eq!(info.references[0].name(), "b");
            assert_eq!(info.nar_size, 120);
            assert!(info.nar_hash.contains('x'));
        }
    }

    #[test]
    fn reports_paths_that_are_not_in_the_store() {
        for output in [
            json!([{"path": format!("/nix/store/{A}"), "valid": false}]),
            json!({format!("/nix/store/{A}"): null}),
        ] {
            let error = read(&output).unwrap_err();
            assert!(matches!(error, Error::NotInStore(_)), "{error}");
        }
        assert_eq!(
            path_in_message("Nix: path '/nix/store/x' is not valid"),
            "/nix/store/x"
        );
    }

    #[test]
    fn rejects_entries_with_missing_fields() {
        let row = json!({"references": [], "narSize": 1, "narHash": "x"});
        for field in ["references", "narSize", "narHash"] {
            let mut row = row.clone();
            row[field] = Value::Null;
            assert!(
                read(&json!({format!("/nix/store/{A}"): row})).is_err(),
                "{field}"
            );
        }
        assert!(read(&json!("x")).is_err());
    }

    #[test]
    fn distinguishes_store_paths_from_paths_within_and_outside() {
        let at = |text: &str| in_store(Path::new("/nix/store"), Path::new(text));
        let a = format!("/nix/store/{A}");
        assert_eq!(at(&a).unwrap().unwrap().name(), "a");
        assert_eq!(at(&format!("{a}/")).unwrap().unwrap().name(), "a");
        let within = at(&format!("{a}/bin/a")).unwrap().unwrap_err();
        assert!(matches!(within, Error::WithinStorePath { .. }), "{within}");
        assert!(at("/nix/store/short").unwrap().is_err());
        for elsewhere in ["/nix", "/nix/store", "/tmp/x", &format!("{a}/../x")] {
            assert!(at(elsewhere).is_none(), "{elsewhere}");
        }
    }
}
