//! Opens a data source, undoes gzip with a guard against decompression bombs, and recognises
//! files that are no data at all.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, Write};
use std::rc::Rc;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use crate::error::ReadError;

/// Gzip output up to this size is never suspicious: it does not fill any memory.
const BOMB_BYTES: u64 = 64 << 20;
/// Beyond it, output may be so many times the compressed input. Tables of numbers shrink 3 to 20
/// times; gzip's limit, reached by endless repetition, is about 1000.
const BOMB_RATIO: u64 = 200;
/// How much of the content is looked at to recognise it.
const SAMPLE_BYTES: u64 = 256 << 10;
const BUFFER_BYTES: usize = 256 << 10;

type Input = BufReader<Box<dyn Read>>;

/// A data source, decompressed.
pub(crate) struct Source {
    /// Its beginning; `input` gives it once more.
    pub(crate) sample: Vec<u8>,
    /// Whether the sample is all of it.
    pub(crate) complete: bool,
    pub(crate) input: Input,
    /// How many bytes there are, where that is known beforehand.
    pub(crate) length: Option<u64>,
    /// The file, where the content lies in it as it is: not in a pipe and not compressed.
    pub(crate) file: Option<Arc<File>>,
}

impl Source {
    /// A file with the content: this one, or a temporary one that vanishes with the process.
    pub(crate) fn in_file(&mut self, source: &str) -> Result<Arc<File>, ReadError> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let cannot = |error: io::Error| {
            ReadError::Io(format!(
                "{source} must be read twice and cannot be put into the folder {} ({error}); name a folder with room in \
                 TMPDIR",
                std::env::temp_dir().display()
            ))
        };
        let mut spool = tempfile::tempfile().map_err(cannot)?;
        let mut block = vec![0; BUFFER_BYTES];
        let mut length = 0;
        loop {
            match self.input.read(&mut block) {
                Ok(0) => break,
                Ok(n) => {
                    spool.write_all(&block[..n]).map_err(cannot)?;
                    length += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::reading(source, error)),
            }
        }
        spool.rewind().map_err(cannot)?;
        let spool = Arc::new(spool);
        (self.file, self.length) = (Some(spool.clone()), Some(length));
        Ok(spool)
    }
}

/// The name of a path in messages.
pub(crate) fn name(path: &str) -> &str {
    if path == "-" { "standard input" } else { path }
}

/// Opens a path, or standard input for "-".
pub(crate) fn open(path: &str) -> Result<Source, ReadError> {
    let source = name(path);
    if path == "-" {
        return from_reader(source, Box::new(io::stdin()), None);
    }
    let cannot = |error| ReadError::Io(format!("cannot open {source}: {error}"));
    let file = File::open(path).map_err(cannot)?;
    let kind = file.metadata().map_err(cannot)?;
    let again = kind.is_file().then(|| file.try_clone()).transpose().map_err(cannot)?;
    let mut opened = from_reader(source, Box::new(file), kind.is_file().then_some(kind.len()))?;
    // Compressed content has no length that is known.
    opened.file = again.map(Arc::new).filter(|_| opened.length.is_some());
    Ok(opened)
}

fn from_reader(source: &str, reader: Box<dyn Read>, length: Option<u64>) -> Result<Source, ReadError> {
    let (sample, complete, input) = peek(source, reader)?;
    if !sample.starts_with(b"\x1f\x8b") {
        return Ok(Source { sample, complete, input, length, file: None });
    }
    let compressed = Rc::new(Cell::new(0));
    let counted = Counted { input, read: compressed.clone() };
    let plain = Guarded {
        source: source.to_owned(),
        input: MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, counted)),
        read: 0,
        compressed,
    };
    let (sample, complete, input) = peek(source, Box::new(plain))?;
    Ok(Source { sample, complete, input, length: None, file: None })
}

/// Reads the beginning and puts it back.
fn peek(source: &str, mut reader: Box<dyn Read>) -> Result<(Vec<u8>, bool, Input), ReadError> {
    let mut sample = Vec::new();
    reader.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample).map_err(|error| ReadError::reading(source, error))?;
    let complete = (sample.len() as u64) < SAMPLE_BYTES;
    let again: Box<dyn Read> = Box::new(Cursor::new(sample.clone()).chain(reader));
    Ok((sample, complete, BufReader::with_capacity(BUFFER_BYTES, again)))
}

struct Counted<R> {
    input: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(out)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

/// Refuses to go on when the output is out of all proportion.
struct Guarded<R> {
    source: String,
    input: R,
    read: u64,
    compressed: Rc<Cell<u64>>,
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(out)?;
        self.read += n as u64;
        if self.read > BOMB_BYTES && self.read > self.compressed.get().saturating_mul(BOMB_RATIO) {
            return Err(io::Error::other(ReadError::Data(format!(
                "{}: the gzip data grows to more than {BOMB_RATIO} times its size, which data does \
                 not; decompress the file yourself if it is good",
                self.source
            ))));
        }
        Ok(n)
    }
}

/// Refuses content that is known to be neither text nor a table in another known format, saying what it looks like.
pub(crate) fn refuse_foreign(source: &str, sample: &[u8]) -> Result<(), ReadError> {
    const EXPORT: &str = "export the table as CSV or Parquet";
    const UNPACK: &str = "decompress it first (only gzip is read directly)";
    const MAGIC: [(&[u8], &str, &str); 14] = [
        (b"FEA1", "a Feather file of version 1", "save it as Feather version 2 or Parquet"),
        (b"PARE", "an encrypted Parquet file", "save it without encryption"),
        (b"PK\x03\x04", "a zip archive (such as xlsx or npz)", EXPORT),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", EXPORT),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", EXPORT),
        (b"SQLite format 3\0", "an SQLite database", EXPORT),
        (b"MATLAB 5.0 MAT-file", "a MATLAB file", EXPORT),
        (b"%PDF-", "a PDF document", "give a CSV, Parquet, Arrow or NPY file"),
        (b"\x89PNG", "a PNG image", "give a CSV, Parquet, Arrow or NPY file"),
        (b"\x1f\x8b", "gzip inside gzip", "decompress it once"),
        (b"BZh", "a bzip2 file", UNPACK),
        (b"\xfd7zXZ\0", "an xz file", UNPACK),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file", UNPACK),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    ];
    const CONVERT: &str = "convert the file, for example with iconv -f UTF-16 -t UTF-8";
    let looks = |what: &str, advice: &str| Err(ReadError::Data(format!("{source} looks like {what}; {advice}")));
    if let Some((_, what, advice)) = MAGIC.iter().find(|(magic, ..)| sample.starts_with(magic)) {
        return looks(what, advice);
    }
    if sample.starts_with(b"\xff\xfe") || sample.starts_with(b"\xfe\xff") {
        return looks("UTF-16 text", CONVERT);
    }
    if !sample.contains(&0) {
        return Ok(());
    }
    let head = &sample[..sample.len().min(64)];
    let zeros = |parity: usize| head.iter().skip(parity).step_by(2).filter(|&&b| b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    if (even == 0 || odd == 0) && (even + odd) * 4 >= head.len() {
        return looks("UTF-16 text", CONVERT);
    }
    looks("a binary file (there are zero bytes in it)", "give a CSV, Parquet, Arrow or NPY file")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn everything(bytes: Vec<u8>) -> Result<Vec<u8>, ReadError> {
        let mut source = from_reader("t", Box::new(Cursor::new(bytes)), None)?;
        let mut all = Vec::new();
        match source.input.read_to_end(&mut all) {
            Ok(_) => Ok(all),
            Err(error) => Err(ReadError::reading("t", error)),
        }
    }

    #[test]
    fn gzip_members_are_joined() {
        let both = [gzip(b"a,b\n"), gzip(b"1,2\n")].concat();
        assert_eq!(everything(both).unwrap(), b"a,b\n1,2\n");
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let good = gzip(b"a,b\n1,2\n");
        for length in 2..good.len() {
            let message = everything(good[..length].to_vec()).unwrap_err().to_string();
            assert!(message.contains("ends too early"), "{length}: {message}");
        }
        let mut bad = good;
        let at = bad.len() - 6;
        bad[at] ^= 1;
        assert!(everything(bad).unwrap_err().to_string().contains("damaged"));
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = gzip(&vec![b'1'; 100 << 20]);
        let message = everything(bomb).unwrap_err().to_string();
        assert!(message.contains("200 times"), "{message}");
    }

    #[test]
    fn a_small_repetitive_file_is_no_bomb() {
        assert_eq!(everything(gzip(&vec![b'1'; 8 << 20])).unwrap().len(), 8 << 20);
    }

    #[test]
    fn foreign_content_is_named() {
        for (bytes, what) in [
            (&b"FEA1...."[..], "Feather"),
            (b"PK\x03\x04....", "zip archive"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (b"%PDF-1.7", "PDF"),
            (b"\xff\xfea\0,\0", "UTF-16"),
            (b"\xfe\xff\0a", "UTF-16"),
            (b"a\0,\0b\0\n\0", "UTF-16"),
            (b"\0a\0,\0b\0\n", "UTF-16"),
            (b"a,b\n1,\0\n", "binary"),
            (b"\0\0\0\0\0\0", "binary"),
        ] {
            let message = refuse_foreign("t", bytes).unwrap_err().to_string();
            assert!(message.contains(what), "{message}");
        }
        assert!(refuse_foreign("t", b"a,b\n1,2\n").is_ok());
    }
}
