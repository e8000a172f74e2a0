use std::env;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rustc-link-lib=z");
    let bindings = bindgen::Builder::default()
        .header_contents("bindings.h", "#include <zlib.h>")
        .allowlist_function("crc32")
        .generate()?;
    bindings.write_to_file(PathBuf::from(env::var("OUT_DIR")?).join("bindings.rs"))?;
    Ok(())
}
