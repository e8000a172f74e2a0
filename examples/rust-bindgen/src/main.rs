//! zlib's checksum, called by what bindgen made of its header for the target.

#[allow(non_camel_case_types, non_upper_case_globals)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

fn main() {
    let text = b"123456789";
    // SAFETY: the pointer and the length are those of one text.
    let crc = unsafe { bindings::crc32(0, text.as_ptr(), text.len() as _) };
    println!("{crc:08x}");
}
