fn main() {
    println!("cargo::rerun-if-changed=src/sorted.cpp");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .file("src/sorted.cpp")
        .compile("sorted");
}
