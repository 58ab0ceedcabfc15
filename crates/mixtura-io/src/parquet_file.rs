//! Reads a Parquet file, batch by batch; only the columns asked for are decoded.

use std::fs::File;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::arrow_cells::{self, BATCH_ROWS, Handler, damaged};
use crate::error::ReadError;
use crate::format::{Format, Receiver, Want};
use crate::guard::guarded;
use crate::npy::ROUNDED;
use crate::plan::Names;

pub(crate) const MAGIC: &[u8] = b"PAR1";
/// Cells decoded at a time.
const BATCH_CELLS: usize = 1 << 18;
/// A table may be so many times its file. Columns of one value shrink to almost nothing; a file that claims more than
/// this is damaged, and believing it would fill the memory.
const BOMB_RATIO: u64 = 2000;
const BOMB_BYTES: u64 = 1 << 30;

/// A Parquet file whose footer was read.
pub(crate) struct ParquetFile<'a> {
    source: &'a str,
    builder: Option<ParquetRecordBatchReaderBuilder<File>>,
    schema: SchemaRef,
    names: Names,
    notes: Vec<String>,
}

impl<'a> ParquetFile<'a> {
    pub(crate) fn open(source: &'a str, file: &Arc<File>) -> Result<Self, ReadError> {
        let cannot = |error: std::io::Error| ReadError::Io(format!("cannot read {source}: {error}"));
        let own = file.try_clone().map_err(cannot)?;
        let length = own.metadata().map_err(cannot)?.len();
        let builder = guarded(source, || ParquetRecordBatchReaderBuilder::try_new(own))?
            .map_err(|error| damaged(source, &error.to_string()))?;
        let schema = builder.schema().clone();
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows())
            .map_err(|_| damaged(source, "the number of rows is negative"))?;
        let bytes = rows.saturating_mul(8);
        if bytes > BOMB_BYTES && bytes / BOMB_RATIO > length {
            return Err(damaged(source, &format!("{length} bytes cannot hold {rows} rows of data")));
        }
        let mut notes = Vec::new();
        let header = schema.fields().iter().map(|field| field.name().trim().to_owned()).collect();
        let names = Names::from_header(header, &mut notes);
        if names.names.is_empty() {
            return Err(ReadError::Data(format!("{source} has no columns; give a table with columns of numbers")));
        }
        Ok(Self { source, builder: Some(builder), schema, names, notes })
    }
}

impl Format for ParquetFile<'_> {
    fn names(&self) -> &Names {
        &self.names
    }

    fn single(&self, columns: &[usize]) -> bool {
        arrow_cells::single(&self.schema, columns)
    }

    fn rows(&mut self, want: &[Want], to: Receiver<'_>) -> Result<(), ReadError> {
        let source = self.source;
        let Some(builder) = self.builder.take() else { return Ok(()) };
        let claimed = builder.metadata().file_metadata().num_rows() as usize;
        let projection = arrow_cells::projection(&self.schema, want);
        let mask = ProjectionMask::roots(builder.parquet_schema(), projection.iter().copied());
        let together = (BATCH_CELLS / projection.len().max(1)).clamp(1, BATCH_ROWS);
        let failed = |error: String| damaged(source, &error);
        let mut reader = guarded(source, || builder.with_projection(mask).with_batch_size(together).build())?
            .map_err(|error| failed(error.to_string()))?;
        let schema = self.schema.clone();
        let mut handler = Handler { source, schema: &schema, want, projection: &projection, n_rows: 0, rounded: false };
        while let Some(batch) = guarded(source, || reader.next())? {
            handler.take(&batch.map_err(|error| failed(error.to_string()))?, to)?;
        }
        if handler.n_rows != claimed {
            return Err(failed(format!("it has {} rows where {claimed} are announced", handler.n_rows)));
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
