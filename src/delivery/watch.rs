//! Notices when a task ends that the engine cannot do without.
//!
//! Whoever waits for such a task would wait for ever, and nothing would be amiss from outside. So its end is
//! the end of the engine, and of the process: what it had claimed is due again when its leases run out.

use std::sync::Arc;

use fail::fail_point;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

/// Watches over tasks. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    stopping: CancellationToken,
    ended: Arc<SetOnce<&'static str>>,
}

impl Watch {
    /// A watch that ends when the engine stops: then tasks may end.
    pub(super) fn until(stopping: CancellationToken) -> Self {
        Self { stopping, ended: Arc::default() }
    }

    /// The task under this name. If it ends too early, by a panic or by itself, that is told.
    pub(super) fn over<T>(&self, name: &'static str, task: T) -> impl Future<Output = ()> + use<T>
    where
        T: Future<Output = ()>,
    {
        let watched = Watched { name, watch: self.clone() };
        async move {
            // Dropped by a panic too.
            let _watched = watched;
            fail_point!(name);
            task.await;
        }
    }

    /// Waits for a task to end too early, and tells its name.
    pub(super) async fn ended(&self) -> &'static str {
        self.ended.wait().await
    }
}

/// A task that runs.
struct Watched {
    name: &'static str,
    watch: Watch,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.watch.stopping.is_cancelled() {
            // One that ends after another tells nothing new.
            self.watch.ended.set(self.name).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_first_task_that_ends_or_panics_is_named() {
        let panicking = async { panic!("this is what it is about") };
        let watch = Watch::until(CancellationToken::new());
        let running = tokio::spawn(watch.over("running", pending()));
        assert!(watch.ended().now_or_never().is_none());
        assert!(tokio::spawn(watch.over("panicking", panicking)).await.is_err());
        watch.over("ending", ready(())).await;
        assert_eq!(watch.ended().await, "panicking", "the first one");
        running.abort();

        let watch = Watch::until(CancellationToken::new());
        watch.over("ending", ready(())).await;
        assert_eq!(watch.ended().await, "ending");
    }

    #[tokio::test]
    async fn tasks_may_end_when_the_engine_stops() {
        let stopping = CancellationToken::new();
        let watch = Watch::until(stopping.clone());
        let task = watch.over("ending", stopping.clone().cancelled_owned());
        stopping.cancel();
        task.await;
        assert!(watch.ended().now_or_never().is_none());
    }
}
