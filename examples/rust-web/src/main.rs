//! Serves the time in any time zone, as a page and as an image. It has what web services often have beside
//! their program: a template, static files, time zones, a font, and a directory to write to.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use ab_glyph::{Font, FontVec, ScaleFont};
use jiff::Timestamp;
use tiny_http::{Header, Request, Response, Server};

const TEMPLATE: &str = "/etc/world-clock/page.html";
const STATIC: &str = "/srv/www";
const FONT: &str = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";
const VISITS: &str = "/var/lib/world-clock/visits";

type Body = Response<std::io::Cursor<Vec<u8>>>;
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", address] => serve(address),
        // For the health check.
        ["time", zone] => Ok(println!("{}", time_in(zone, Timestamp::now())?)),
        _ => Err("usage: world-clock serve ADDRESS | time ZONE".into()),
    }
}

fn serve(address: &str) -> Result<()> {
    let server = Server::http(address).map_err(|error| format!("{address}: {error}"))?;
    // As the first process of its container, the program would otherwise ignore SIGTERM.
    ctrlc::set_handler(|| std::process::exit(0))?;
    println!("listening on {}", server.server_addr());
    for request in server.incoming_requests() {
        let response = answer(&request).unwrap_or_else(|error| {
            Response::from_string(format!("{error}\n")).with_status_code(404)
        });
        // A client that went away needs no answer.
        let _ = request.respond(response);
    }
    Ok(())
}

/// Answers `/`, `/time.png`, both with `?zone=Europe/Berlin`, and the names of static files.
fn answer(request: &Request) -> Result<Body> {
    let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
    let zone = query.strip_prefix("zone=").unwrap_or("UTC");
    match path {
        "/" => {
            let page = fs::read_to_string(TEMPLATE)?
                .replace("{zone}", zone)
                .replace("{time}", &time_in(zone, Timestamp::now())?)
                .replace("{visits}", &count_visit()?.to_string());
            typed(page.into_bytes(), "text/html; charset=utf-8")
        }
        "/time.png" => typed(image_of(&time_in(zone, Timestamp::now())?)?, "image/png"),
        name => {
            let file = static_file(name).ok_or("there is no such file")?;
            let kind = match file.extension().and_then(|extension| extension.to_str()) {
                Some("css") => "text/css",
                _ => "application/octet-stream",
            };
            typed(fs::read(file)?, kind)
        }
    }
}

fn typed(body: Vec<u8>, kind: &str) -> Result<Body> {
    let header: Header = format!("Content-Type: {kind}")
        .parse()
        .map_err(|()| "bad header")?;
    Ok(Response::from_data(body).with_header(header))
}

/// The path of a static file. Names never lead out of their directory.
fn static_file(name: &str) -> Option<PathBuf> {
    let name = name.strip_prefix('/')?;
    let is_plain = name.split('/').all(|part| !part.is_empty() && part != "..");
    is_plain.then(|| Path::new(STATIC).join(name))
}

fn time_in(zone: &str, time: Timestamp) -> Result<String> {
    let time = time.in_tz(zone)?;
    Ok(time.strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
}

/// Counts this visit, and returns how many there were.
fn count_visit() -> Result<u64> {
    let before = fs::read_to_string(VISITS).unwrap_or_default();
    let count = before.trim().parse().unwrap_or(0) + 1;
    fs::write(VISITS, format!("{count}\n"))?;
    Ok(count)
}

/// A PNG of a line of text.
fn image_of(text: &str) -> Result<Vec<u8>> {
    let font = FontVec::try_from_vec(fs::read(FONT)?)?;
    let scaled = font.as_scaled(32.0);
    let mut glyphs = Vec::new();
    let mut width = 0.0;
    for letter in text.chars() {
        let mut glyph = scaled.scaled_glyph(letter);
        glyph.position = ab_glyph::point(width, scaled.ascent());
        width += scaled.h_advance(glyph.id);
        glyphs.push(glyph);
    }
    let (width, height) = (width.ceil() as u32, scaled.height().ceil() as u32);
    let mut pixels = vec![255_u8; (width * height) as usize];
    for outline in glyphs
        .into_iter()
        .filter_map(|glyph| font.outline_glyph(glyph))
    {
        let bounds = outline.px_bounds();
        outline.draw(|x, y, coverage| {
            let (x, y) = (x + bounds.min.x as u32, y + bounds.min.y as u32);
            if x < width && y < height {
                pixels[(y * width + x) as usize] = 255 - (coverage * 255.0) as u8;
            }
        });
    }
    let mut image = Vec::new();
    let mut encoder = png::Encoder::new(&mut image, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(image)
}
