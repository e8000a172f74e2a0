//! Packs layers in parallel.
//!
//! Packing is CPU-bound, and closures vary from one huge store path to a thousand small ones. So
//! the unit of parallel work is not the layer but a fixed-size chunk of its tar: one thread reads
//! files and cuts chunks, several compress, one writes.
//!
//! ```text
//!                       .--> compress --.
//!   read, hash the tar -+--> compress --+-> hash the blob, write
//!                       '--> compress --'
//! ```
//!
//! Chunk boundaries depend only on the offset in the tar, and chunks are written in order, so the
//! number of threads does not affect the output. The number of chunks in flight is limited, which
//! bounds the memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::{mem, panic, thread};

use crate::compression::{CHUNK, Compressed, Compressor};
use crate::digest::DigestReader;
use crate::layer::append;
use crate::tar_writer::TarWriter;
use crate::{Compression, Digest, Error, Layer, LayerSource, Result, StorePath};

impl Layer {
    /// Packs `source` into the new file `blob`, in one pass and constant memory.
    ///
    /// The output depends only on the content. Owners, times, other mode bits, the creation order
    /// of files, the order of store paths and the number of processors do not affect it.
    pub fn pack(source: &LayerSource, compression: Compression, blob: &Path) -> Result<Layer> {
        let jobs = [(source.clone(), blob.to_path_buf())];
        let packed = pack(&jobs, compression)?.pop();
        packed.ok_or_else(|| Error::io("write", blob)(io::ErrorKind::UnexpectedEof.into()))
    }
}

/// Packs layers: `jobs` are sources and the new files for their blobs. The result is in the order
/// of the jobs. After an error, discard the files.
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
        // The chunker owns its ends of the channels, so dropping it stops the other threads.
        let cutter = Chunker {
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
    // When writing fails, reading fails as a consequence. Report the error of the writer.
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

/// What is known of a layer once its tar is read.
struct Tar {
    diff_id: Digest,
    size: u64,
    paths: Vec<StorePath>,
}

/// A chunk of a tar, and the channel for its compressed form.
struct Chunk {
    bytes: Vec<u8>,
    done: Sender<io::Result<Compressed>>,
}

/// The pieces of the blobs, in order.
enum Piece {
    Chunk(Receiver<io::Result<Compressed>>),
    EndOfLayer,
}

fn read(jobs: &[(LayerSource, PathBuf)], mut cutter: Chunker) -> Result<Vec<Tar>> {
    let mut tars = Vec::new();
    for (source, blob) in jobs {
        let mut archive = TarWriter::new(DigestReader::new(&mut cutter), blob.clone());
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

/// A writer that cuts its input into chunks.
struct Chunker {
    chunk: Vec<u8>,
    chunk_size: usize,
    to_compress: Sender<Chunk>,
    to_write: SyncSender<Piece>,
    used: Receiver<Vec<u8>>,
}

impl Chunker {
    fn end_layer(&mut self) -> io::Result<()> {
        self.end_chunk()?;
        self.send(Piece::EndOfLayer)
    }

    fn end_chunk(&mut self) -> io::Result<()> {
        let mut next = self.used.try_recv().unwrap_or_default();
        next.clear();
        let bytes = mem::replace(&mut self.chunk, next);
        let (done, compressed) = mpsc::channel();
        // Queue the result for writing first: this blocks while the queue is full.
        self.send(Piece::Chunk(compressed))?;
        let chunk = Chunk { bytes, done };
        self.to_compress.send(chunk).map_err(|_| stopped())
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        self.to_write.send(piece).map_err(|_| stopped())
    }
}

impl Write for Chunker {
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

/// Compresses chunks until the channel is closed.
fn compress(chunks: &Mutex<Receiver<Chunk>>, compression: Compression) {
    let mut compressor = Compressor::new(compression);
    let mut out = Vec::new();
    loop {
        let next = chunks.lock().map(|chunks| chunks.recv());
        let Ok(Ok(mut chunk)) = next else { return };
        let crc = compressor.compress(&chunk.bytes, &mut out);
        // The compressed chunk is passed on in `chunk.bytes`; its old buffer becomes the next
        // output.
        mem::swap(&mut chunk.bytes, &mut out);
        let bytes = chunk.bytes;
        // The receiver is gone if writing has failed.
        let _ = chunk.done.send(crc.map(|crc| Compressed { bytes, crc }));
    }
}

/// Writes the blobs and returns the digest and size of each. Returns fewer than there are jobs if
/// reading failed.
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
    let mut out = DigestReader::new(File::create_new(path)?);
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
                // The receiver is gone once everything is read.
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

/// The error of the reader after the writer has failed. It is never shown.
fn stopped() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::compression::Method;

    const SMALL: usize = 4096;

    /// Layers of one chunk and of many, with partly compressible content.
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
    fn output_is_independent_of_the_number_of_threads() {
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
    fn read_and_write_errors_stop_all_threads() {
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
