//! goreleaser's configuration files. Each line of an error, and of what is not taken over, is one
//! line.

use slipway_release::Goreleaser;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match Goreleaser::read(text) {
        Ok(read) => {
            for left in &read.left {
                let texts = left.parts.iter().chain([&left.setting]);
                for text in texts {
                    assert!(!text.contains(char::is_control), "{text:?}");
                }
            }
        }
        Err(error) => assert!(!error.contains('\n'), "{error:?}"),
    }
}
