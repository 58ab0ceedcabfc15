//! Runs work outside the interpreter lock, on a pool of its own, while the calling thread listens for Ctrl-C.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mixtura::data::{Buffer, Chunk, Source};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// How often the interpreter is asked whether the user has pressed Ctrl-C.
const PATIENCE: Duration = Duration::from_millis(50);

/// What work tells while it runs: one line of text.
pub(crate) type Lines = Sender<String>;

/// The interrupt flag and the way to tell something.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) interrupt: &'a AtomicBool,
    pub(crate) lines: &'a Lines,
}

/// An error of the library as Python's.
pub(crate) fn refusal(error: mixtura::Error) -> PyErr {
    match error {
        mixtura::Error::Io(text) => pyo3::exceptions::PyOSError::new_err(text),
        other => PyValueError::new_err(other.to_string()),
    }
}

/// What came of work, and the exception (KeyboardInterrupt) that wants to end it.
pub(crate) struct Outcome<T> {
    pub(crate) result: mixtura::Result<T>,
    pub(crate) interrupt: Option<PyErr>,
}

impl<T> Outcome<T> {
    /// The result, where a part of it is of no use.
    pub(crate) fn whole(self) -> PyResult<T> {
        match self.interrupt {
            Some(error) => Err(error),
            None => self.result.map_err(refusal),
        }
    }
}

/// Runs `work` on `threads` threads (`None`: as many as the environment allows). Lines that it tells go to `listener`.
pub(crate) fn run<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    listener: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(World<'_>) -> mixtura::Result<T> + Send,
) -> PyResult<Outcome<T>> {
    let pool = pool(threads)?;
    let listener = listener.map(|l| l.clone().unbind());
    let flag = AtomicBool::new(false);
    let mut interrupt = None;
    let mut result = None;
    let tell = |text: String| -> PyResult<()> {
        let Some(listener) = &listener else { return Ok(()) };
        Python::attach(|py| listener.call1(py, (text,)).map(|_| ()))
    };
    py.detach(|| {
        let (lines, heard) = channel::<String>();
        pool.in_place_scope(|scope| {
            let (result, flag) = (&mut result, &flag);
            scope.spawn(move |_| {
                // The sender is dropped at the end, which ends the loop below.
                let lines = lines;
                let world = World { interrupt: flag, lines: &lines };
                *result = Some(catch_unwind(AssertUnwindSafe(|| work(world))));
            });
            let mut stop = |error: PyErr| {
                flag.store(true, Ordering::Relaxed);
                interrupt.get_or_insert(error);
            };
            loop {
                let heard = match heard.recv_timeout(PATIENCE) {
                    Ok(text) => tell(text),
                    Err(RecvTimeoutError::Timeout) => Python::attach(|py| py.check_signals()),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                heard.unwrap_or_else(&mut stop);
            }
        });
    });
    let result = match result {
        Some(Ok(result)) => result,
        Some(Err(panic)) => return Err(PyRuntimeError::new_err(defect(&*panic))),
        None => return Err(PyRuntimeError::new_err("mixtura's threads ended without a result")),
    };
    Ok(Outcome { result, interrupt })
}

fn defect(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("a defect in mixtura, please report it: {}", text.unwrap_or("no message"))
}

/// Pools by process and size: threads do not survive a fork, so a child process makes its own.
type Pools = Mutex<HashMap<(u32, usize), Arc<ThreadPool>>>;

fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    static POOLS: OnceLock<Pools> = OnceLock::new();
    let threads = match threads {
        Some(0) => return Err(PyValueError::new_err("0 threads can do nothing: use n_jobs=None for all of them")),
        Some(n) => n,
        None => allowed(),
    };
    let mut pools = POOLS.get_or_init(Pools::default).lock().unwrap_or_else(PoisonError::into_inner);
    let key = (std::process::id(), threads);
    if let Some(pool) = pools.get(&key) {
        return Ok(pool.clone());
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = Arc::new(pool.map_err(|e| PyRuntimeError::new_err(format!("cannot start {threads} threads: {e}")))?);
    pools.insert(key, pool.clone());
    Ok(pool)
}

/// The limit of the environment (joblib and schedulers set the second variable), or the cores of the machine.
fn allowed() -> usize {
    let limit = |name: &str| std::env::var(name).ok().and_then(|text| text.trim().parse().ok()).filter(|n| *n > 0);
    limit("RAYON_NUM_THREADS")
        .or_else(|| limit("OMP_NUM_THREADS"))
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// A source that refuses to be read once the user has interrupted: for work that keeps nothing of a part.
pub(crate) struct Interruptible<'a> {
    pub(crate) rows: &'a dyn Source,
    pub(crate) interrupt: &'a AtomicBool,
    /// Set where a part is worth keeping from now on.
    pub(crate) deaf: AtomicBool,
}

impl<'a> Interruptible<'a> {
    pub(crate) fn new(rows: &'a dyn Source, world: World<'a>) -> Self {
        Interruptible { rows, interrupt: world.interrupt, deaf: AtomicBool::new(false) }
    }
}

impl Source for Interruptible<'_> {
    fn n_features(&self) -> usize {
        self.rows.n_features()
    }

    fn n_rows(&self) -> usize {
        self.rows.n_rows()
    }

    fn n_labels(&self) -> usize {
        self.rows.n_labels()
    }

    fn n_chunks(&self) -> usize {
        self.rows.n_chunks()
    }

    fn read<'b>(&'b self, id: usize, buffer: &'b mut Buffer) -> mixtura::Result<Chunk<'b>> {
        if self.interrupt.load(Ordering::Relaxed) && !self.deaf.load(Ordering::Relaxed) {
            return Err(mixtura::Error::Interrupted);
        }
        self.rows.read(id, buffer)
    }
}
