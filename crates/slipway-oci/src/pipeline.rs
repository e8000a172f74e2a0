//! Packing is bound by the processor, and closures come in every shape: one huge store path, or
//! a thousand small ones. So it is not layers that are divided among processors, but the chunks
//! that their tars are cut into: one thread reads files and cuts, some compress, one writes.
//!
//! ```text
//!                       .--> compress --.
//!   read, hash the tar -+--> compress --+-> hash the blob, write
//!                       '--> compress --'
//! ```
//!
//! Where a tar is cut depends on nothing but the place in it, and the chunks are written in their
//! order, so the number of threads is not seen in the bytes. Only so many chunks are under way at
//! a time, which bounds the memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::{mem, panic, thread};

use crate::archive::Archive;
use crate::compression::{CHUNK, Compressed, Compressor};
use crate::digest::Hashing;
use crate::layer::append;
use crate::{Compression, Digest, Error, Layer, LayerSource, Result, StorePath};

/// Packs layers: `jobs` are sources and the new files for their blobs. The layers are in the order
/// of the jobs. On an error, the files are worthless.
pub(crate) fn pack(
    jobs: &[(LayerSource, PathBuf)],
    compression: Compression,
) -> Result<Vec<Layer>> {
    let processors = thread::available_parallelism().map_or(1, |count| count.get());
    let (most, _) = compression.limits();
    pack_on(processors.min(most), CHUNK, jobs, compression)
}

fn pack_on(
    workers: usize,
    chunk_size: usize,
    jobs: &[(LayerSource, PathBuf)],
    compression: Compression,
) -> Result<Vec<Layer>> {
    let (to_compress, chunks) = mpsc::channel();
    let (_, waiting) = compression.limits();
    let (to_write, pieces) = mpsc::sync_channel(waiting);
    let (to_reuse, used) = mpsc::channel();
    let chunks = Mutex::new(chunks);
    let (tars, blobs) = thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| compress(&chunks, compression));
        }
        let writer = scope.spawn(move || write(jobs, compression, &pieces, &to_reuse));
        // Owns its ends of the channels: when it is done, the other threads find them closed.
        let cutter = Cutter {
            chunk: Vec::new(),
            chunk_size,
            to_compress,
            to_write,
            used,
        };
        let tars = read(jobs, cutter);
        let blobs = writer.join();
        (
            tars,
            blobs.unwrap_or_else(|cause| panic::resume_unwind(cause)),
        )
    });
    // If writing failed, then reading did too, but only for that.
    let blobs = blobs?;
    let layer = |(tar, (digest, size)): (Tar, _)| Layer {
        media_type: compression.media_type(),
        digest,
        size,
        diff_id: tar.diff_id,
        uncompressed_size: tar.size,
        paths: tar.paths,
    };
    Ok(tars?.into_iter().zip(blobs).map(layer).collect())
}

/// What is known of a layer when it has been read.
struct Tar {
    diff_id: Digest,
    size: u64,
    paths: Vec<StorePath>,
}

/// A part of a tar, and where to send it when it is compressed.
struct Chunk {
    bytes: Vec<u8>,
    done: Sender<io::Result<Compressed>>,
}

/// What the blobs consist of, in their order.
enum Piece {
    Chunk(Receiver<io::Result<Compressed>>),
    EndOfLayer,
}

fn read(jobs: &[(LayerSource, PathBuf)], mut cutter: Cutter) -> Result<Vec<Tar>> {
    let mut tars = Vec::new();
    for (source, blob) in jobs {
        let mut archive = Archive::new(Hashing::new(&mut cutter), blob.clone());
        let paths = append(&mut archive, source)?;
        let (_, diff_id, size) = archive.finish()?.finish();
        cutter.end_layer().map_err(Error::io("write", blob))?;
        tars.push(Tar {
            diff_id,
            size,
            paths,
        });
    }
    Ok(tars)
}

/// Cuts what is written to it into chunks.
struct Cutter {
    chunk: Vec<u8>,
    chunk_size: usize,
    to_compress: Sender<Chunk>,
    to_write: SyncSender<Piece>,
    used: Receiver<Vec<u8>>,
}

impl Cutter {
    fn end_layer(&mut self) -> io::Result<()> {
        self.end_chunk()?;
        self.send(Piece::EndOfLayer)
    }

    fn end_chunk(&mut self) -> io::Result<()> {
        let mut next = self.used.try_recv().unwrap_or_default();
        next.clear();
        let bytes = mem::replace(&mut self.chunk, next);
        let (done, compressed) = mpsc::channel();
        // First a place in the row of those to write: this waits until there is one.
        self.send(Piece::Chunk(compressed))?;
        let chunk = Chunk { bytes, done };
        self.to_compress.send(chunk).map_err(|_| stopped())
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        self.to_write.send(piece).map_err(|_| stopped())
    }
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == self.chunk_size {
            self.end_chunk()?;
        }
        let taken = bytes.len().min(self.chunk_size - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes chunks until there will be no more.
fn compress(chunks: &Mutex<Receiver<Chunk>>, compression: Compression) {
    let mut compressor = Compressor::new(compression);
    let mut out = Vec::new();
    loop {
        let next = chunks.lock().map(|chunks| chunks.recv());
        let Ok(Ok(mut chunk)) = next else { return };
        let crc = compressor.compress(&chunk.bytes, &mut out);
        // The one buffer goes on to be written, the other is for the next chunk.
        mem::swap(&mut chunk.bytes, &mut out);
        let bytes = chunk.bytes;
        // Nobody takes it when writing has failed.
        let _ = chunk.done.send(crc.map(|crc| Compressed { bytes, crc }));
    }
}

/// Gives digest and size of each blob; fewer than there are jobs if reading failed.
fn write(
    jobs: &[(LayerSource, PathBuf)],
    compression: Compression,
    pieces: &Receiver<Piece>,
    to_reuse: &Sender<Vec<u8>>,
) -> Result<Vec<(Digest, u64)>> {
    let mut blobs = Vec::new();
    for (_, path) in jobs {
        match write_blob(path, compression, pieces, to_reuse).map_err(Error::io("write", path))? {
            Some(blob) => blobs.push(blob),
            None => break,
        }
    }
    Ok(blobs)
}

fn write_blob(
    path: &Path,
    compression: Compression,
    pieces: &Receiver<Piece>,
    to_reuse: &Sender<Vec<u8>>,
) -> io::Result<Option<(Digest, u64)>> {
    let mut out = Hashing::new(File::create_new(path)?);
    let mut frame = compression.frame();
    out.write_all(frame.start())?;
    loop {
        match pieces.recv() {
            Ok(Piece::Chunk(chunk)) => {
                let Ok(chunk) = chunk.recv() else {
                    return Ok(None);
                };
                let chunk = chunk?;
                frame.add(&chunk);
                out.write_all(&chunk.bytes)?;
                // Not wanted any more when everything is read.
                let _ = to_reuse.send(chunk.bytes);
            }
            Ok(Piece::EndOfLayer) => {
                out.write_all(&frame.end())?;
                let (_, digest, size) = out.finish();
                return Ok(Some((digest, size)));
            }
            Err(_) => return Ok(None),
        }
    }
}

/// What reading fails with when writing has; it is not shown.
fn stopped() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::compression::Method;

    const SMALL: usize = 4096;

    /// Layers of one chunk and of many, with content that compresses a little.
    fn sources(directory: &Path) -> Vec<LayerSource> {
        let mut state = 1_u32;
        let mut word = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            [
                b'a' + (state >> 28) as u8,
                b'a' + ((state >> 24) & 15) as u8,
            ]
        };
        let source = |(number, size): (usize, usize)| {
            let root = directory.join(number.to_string());
            let content: Vec<u8> = (0..size / 2).flat_map(|_| word()).collect();
            fs::create_dir(&root).unwrap();
            fs::write(root.join("content"), content).unwrap();
            LayerSource::Root(root)
        };
        let sizes = [100, 100_000, 0, SMALL];
        sizes.into_iter().enumerate().map(source).collect()
    }

    fn packed(sources: &[LayerSource], compression: Compression, workers: usize) -> Vec<Vec<u8>> {
        let out = tempfile::tempdir().unwrap();
        let job = |(number, source): (usize, &LayerSource)| {
            (source.clone(), out.path().join(number.to_string()))
        };
        let jobs: Vec<_> = sources.iter().enumerate().map(job).collect();
        let layers = pack_on(workers, SMALL, &jobs, compression).unwrap();
        assert_eq!(layers.len(), jobs.len());
        let blobs = jobs.iter().map(|(_, blob)| fs::read(blob).unwrap());
        blobs.collect()
    }

    #[test]
    fn the_bytes_are_the_same_however_many_threads_there_are() {
        let directory = tempfile::tempdir().unwrap();
        let sources = sources(directory.path());
        for method in [Method::Zstd, Method::Gzip] {
            let compression = Compression::new(method, Some(1)).unwrap();
            let alone = packed(&sources, compression, 1);
            for workers in [2, 7] {
                let together = packed(&sources, compression, workers);
                assert!(alone == together, "{method:?} differs on {workers} threads");
            }
        }
    }

    #[test]
    fn an_error_in_reading_or_writing_ends_all_threads() {
        let directory = tempfile::tempdir().unwrap();
        let compression = Compression::new(Method::Zstd, Some(1)).unwrap();
        let mut jobs = Vec::new();
        for (number, source) in sources(directory.path()).into_iter().enumerate() {
            jobs.push((source, directory.path().join(format!("blob-{number}"))));
        }

        let mut unreadable = jobs.clone();
        unreadable[2].0 = LayerSource::Root(directory.path().join("missing"));
        let error = pack_on(2, SMALL, &unreadable, compression).unwrap_err();
        assert!(matches!(error, Error::NotADirectory(_)), "{error}");

        jobs[0].1 = directory.path().join("missing/blob");
        let error = pack_on(2, SMALL, &jobs, compression)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("cannot write ") && error.contains("missing/blob"),
            "{error}"
        );
    }
}
