//! Reads an Arrow IPC file (Feather version 2) or stream, batch by batch; only the columns asked for are decoded.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use crate::arrow_cells::{self, Handler, damaged};
use crate::error::ReadError;
use crate::format::{Format, Receiver, Want};
use crate::guard::guarded;
use crate::ipc_check::Frame;
pub(crate) use crate::ipc_check::{CONTINUATION, MAGIC};
use crate::npy::ROUNDED;
use crate::plan::Names;

/// An Arrow IPC file whose frame was checked and whose schema is known.
pub(crate) struct IpcFile<'a> {
    source: &'a str,
    file: Arc<File>,
    is_stream: bool,
    schema: SchemaRef,
    names: Names,
    notes: Vec<String>,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

impl<'a> IpcFile<'a> {
    pub(crate) fn open(source: &'a str, file: Arc<File>, is_stream: bool) -> Result<Self, ReadError> {
        let length = file.metadata().map_err(|error| ReadError::Io(format!("cannot read {source}: {error}")))?.len();
        let frame = Frame { file: &file, length };
        let checked = if is_stream { frame.check_stream() } else { frame.check_file() };
        checked.map_err(|why| damaged(source, &why))?;
        let (schema, _) = open(source, &file, is_stream, None)?;
        let mut notes = Vec::new();
        let header = schema.fields().iter().map(|field| field.name().trim().to_owned()).collect();
        let names = Names::from_header(header, &mut notes);
        if names.names.is_empty() {
            return Err(ReadError::Data(format!("{source} has no columns; give a table with columns of numbers")));
        }
        Ok(Self { source, file, is_stream, schema, names, notes })
    }
}

/// The schema of all columns, and the batches of those of the projection.
fn open(
    source: &str,
    file: &File,
    is_stream: bool,
    projection: Option<Vec<usize>>,
) -> Result<(SchemaRef, Batches), ReadError> {
    let cannot = |error| ReadError::Io(format!("cannot read {source}: {error}"));
    let mut own = file.try_clone().map_err(cannot)?;
    own.rewind().map_err(cannot)?;
    let input = BufReader::new(own);
    let opened = guarded(source, || -> Result<(SchemaRef, Batches), ArrowError> {
        if is_stream {
            let reader = StreamReader::try_new(input, projection)?;
            Ok((reader.schema(), Box::new(reader)))
        } else {
            let reader = FileReader::try_new(input, projection)?;
            Ok((reader.schema(), Box::new(reader)))
        }
    })?;
    opened.map_err(|error| damaged(source, &error.to_string()))
}

impl Format for IpcFile<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    fn single(&self, columns: &[usize]) -> bool {
        arrow_cells::single(&self.schema, columns)
    }

    fn rows(&mut self, want: &[Want], to: Receiver<'_>) -> Result<(), ReadError> {
        let source = self.source;
        let projection = arrow_cells::projection(&self.schema, want);
        let (_, mut batches) = open(source, &self.file, self.is_stream, Some(projection.clone()))?;
        let schema = self.schema.clone();
        let mut handler = Handler { source, schema: &schema, want, projection: &projection, n_rows: 0, rounded: false };
        while let Some(batch) = guarded(source, || batches.next())? {
            handler.take(&batch.map_err(|error| damaged(source, &error.to_string()))?, to)?;
        }
        if handler.rounded {
            self.notes.push(ROUNDED.into());
        }
        Ok(())
    }

    fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}
