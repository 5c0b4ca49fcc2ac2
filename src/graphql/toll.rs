//! Takes the points of an operation (G12) when it is known to be valid and before anything of it
//! is done.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{ServerError, ValidationResult};

use crate::app::Toll;
use crate::app::rates::Unpaid;
use crate::graphql::codes;

/// The extension of the schema. Requests without a [`Toll`] are free.
pub struct Tolls;

impl ExtensionFactory for Tolls {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Tolls {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let valid = next.run(ctx).await?;
        match ctx.data_opt::<Toll>().map(|toll| toll.pay(valid.complexity)) {
            None | Some(Ok(())) => Ok(valid),
            Some(Err(unpaid)) => Err(vec![refusal(valid.complexity, unpaid)]),
        }
    }
}

fn refusal(complexity: usize, unpaid: Unpaid) -> ServerError {
    let (message, code) = match unpaid {
        Unpaid::Refused => ("Too many points were used.".to_owned(), codes::RATE_LIMITED),
        Unpaid::Never(points) => (
            format!(
                "The operation costs {complexity} points and more for each event that it publishes; there are \
                 {points} in ten seconds. Ask for less at a time."
            ),
            codes::VALIDATION_FAILED,
        ),
    };
    let mut error = ServerError::new(message, None);
    codes::set(&mut error, code);
    error
}
