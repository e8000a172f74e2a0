//! The build information of programs in Go, as JSON.

use serde_json::{Value, json};
use slipway_verify::GoBuild;

/// `{"version", "package", "module", "moduleVersion", "cgo", "settings": {…}}`. `module` and
/// `moduleVersion` may be null.
pub fn to_json(build: &GoBuild) -> Value {
    let module = build.module.as_ref();
    json!({
        "version": build.version,
        "package": build.package,
        "module": module.map(|(path, _)| path),
        "moduleVersion": module.map(|(_, version)| version),
        "cgo": build.has_cgo(),
        "settings": build.settings,
    })
}
