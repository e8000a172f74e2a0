// As framework.c.

#[link(name = "CoreFoundation", kind = "framework")]
unsafe extern "C" {
    safe fn CFAbsoluteTimeGetCurrent() -> f64;
}

fn main() {
    println!("{}", CFAbsoluteTimeGetCurrent());
}
