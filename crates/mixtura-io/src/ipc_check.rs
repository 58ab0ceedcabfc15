//! Checks the frame of an Arrow IPC file before it is decoded: every size that it claims must be one that the file can
//! hold, since the decoder reserves memory for whatever it is told.

use std::fs::File;

use arrow_ipc::{Block, Message, MessageHeader, RecordBatch, root_as_footer, root_as_message};

use crate::file_rows::read_exact_at;

pub(crate) const MAGIC: &[u8] = b"ARROW1";
/// What every message of a stream begins with.
pub(crate) const CONTINUATION: [u8; 4] = [0xff; 4];
/// A compressed buffer of up to so many bytes is never suspicious; a larger one may be so many times its compressed
/// size.
const BOMB_BYTES: i64 = 64 << 20;
const BOMB_RATIO: i64 = 1000;

type Checked<T> = Result<T, String>;

/// A file of so many bytes.
pub(crate) struct Frame<'a> {
    pub(crate) file: &'a File,
    pub(crate) length: u64,
}

impl Frame<'_> {
    fn bytes(&self, offset: u64, n: u64) -> Checked<Vec<u8>> {
        if offset.checked_add(n).is_none_or(|end| end > self.length) {
            return Err("a part of it lies beyond its end".into());
        }
        let mut bytes = vec![0; n as usize];
        read_exact_at(self.file, &mut bytes, offset).map_err(|error| error.to_string())?;
        Ok(bytes)
    }

    /// The file format: a footer lists all blocks.
    pub(crate) fn check_file(&self) -> Checked<()> {
        let end = self.length.checked_sub(10).ok_or("it is too short")?;
        let tail = self.bytes(end, 10)?;
        if &tail[4..] != MAGIC {
            return Err("its end is missing".into());
        }
        let size = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]));
        let start = end.checked_sub(size).ok_or("its footer is longer than the file")?;
        let footer = self.bytes(start, size)?;
        let footer = root_as_footer(&footer).map_err(|error| format!("its footer: {error}"))?;
        let lists = [footer.dictionaries(), footer.recordBatches()];
        lists.iter().flatten().flat_map(|blocks| blocks.iter()).try_for_each(|block| self.check_block(block))
    }

    fn check_block(&self, block: &Block) -> Checked<()> {
        let sizes = (block.offset().try_into(), block.metaDataLength().try_into(), block.bodyLength().try_into());
        let (Ok(offset), Ok(head), Ok(body)): (Result<u64, _>, Result<u64, _>, Result<u64, _>) = sizes else {
            return Err("a block has a negative size".into());
        };
        let bytes = self.bytes(offset, head)?;
        let start = offset + head;
        if start.checked_add(body).is_none_or(|end| end > self.length) {
            return Err("a block lies beyond its end".into());
        }
        // Before version 0.15 there was no continuation mark.
        let skip = if bytes.starts_with(&CONTINUATION) { 8 } else { 4 };
        let message = bytes.get(skip..).ok_or("a block is too short")?;
        let message = root_as_message(message).map_err(|error| format!("a message: {error}"))?;
        if message.bodyLength() != block.bodyLength() {
            return Err("a block and its message differ in size".into());
        }
        self.check_message(&message, start, body)
    }

    /// The stream format: messages one after the other and a mark at the end, without which some may be missing.
    pub(crate) fn check_stream(&self) -> Checked<()> {
        let mut at = 0;
        loop {
            if at == self.length {
                return Err("the mark at its end is missing".into());
            }
            let head = self.bytes(at, 8)?;
            if head[..4] != CONTINUATION {
                return Err("a message does not begin as it should".into());
            }
            let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
            at += 8;
            if size == 0 {
                return Ok(());
            }
            let bytes = self.bytes(at, size)?;
            at += size;
            let message = root_as_message(&bytes).map_err(|error| format!("a message: {error}"))?;
            let body = u64::try_from(message.bodyLength()).map_err(|_| "a message has a negative size")?;
            if at.checked_add(body).is_none_or(|end| end > self.length) {
                return Err("it ends in the middle of a message".into());
            }
            self.check_message(&message, at, body)?;
            at += body;
        }
    }

    fn check_message(&self, message: &Message<'_>, start: u64, body: u64) -> Checked<()> {
        match message.header_type() {
            MessageHeader::RecordBatch => {
                message.header_as_record_batch().map_or(Ok(()), |batch| self.check_batch(&batch, start, body))
            }
            MessageHeader::DictionaryBatch => message
                .header_as_dictionary_batch()
                .and_then(|dictionary| dictionary.data())
                .map_or(Ok(()), |batch| self.check_batch(&batch, start, body)),
            _ => Ok(()),
        }
    }

    fn check_batch(&self, batch: &RecordBatch<'_>, start: u64, body: u64) -> Checked<()> {
        let mut total = 0_i64;
        for buffer in batch.buffers().iter().flatten() {
            let (Ok(offset), Ok(size)) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length())) else {
                return Err("a column has a negative size".into());
            };
            if offset.checked_add(size).is_none_or(|end| end > body) {
                return Err("a column lies beyond its message".into());
            }
            let mut unpacked = buffer.length();
            if batch.compression().is_some() && size > 0 {
                let head = self.bytes(start + offset, 8.min(size))?;
                let claim = head.try_into().map(i64::from_le_bytes).map_err(|_| "a compressed column is too short")?;
                if claim > BOMB_BYTES && claim / BOMB_RATIO > buffer.length() {
                    return Err(format!("a column grows to more than {BOMB_RATIO} times its size"));
                }
                unpacked = unpacked.max(claim);
            }
            total = total.saturating_add(unpacked);
        }
        // Every row takes at least a bit of some column. Columns of nothing but nulls are no reason to go on for ever.
        let most = total.saturating_mul(8).saturating_add(1 << 16);
        let nodes = batch.nodes().into_iter().flatten().map(|node| node.length());
        if nodes.chain([batch.length()]).any(|length| length < 0 || length > most) {
            return Err("it has more rows than its bytes can hold".into());
        }
        Ok(())
    }
}
