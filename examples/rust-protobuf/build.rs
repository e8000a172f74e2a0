fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=report.proto");
    prost_build::compile_protos(&["report.proto"], &["."])
}
