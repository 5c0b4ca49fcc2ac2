//! Takes memory for an operation and its points (G12) when it is known to be valid and before anything of
//! it is done, and lets it wait for its turn. Whoever asks, an operation may cost only so much.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{ServerError, ValidationResult};

use crate::graphql::codes;
use crate::graphql::limits::admission::Admission;
use crate::graphql::limits::payload_budget::BUSY;
use crate::quota::RateCharge;
use crate::quota::ledger::Unpaid;

/// How many points an operation may cost; `cost` says what does.
const MOST: usize = 5_000;

/// The extension of the schema. Requests without a [`RateCharge`] are free.
pub struct Charges;

impl ExtensionFactory for Charges {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Charges {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let valid = next.run(ctx).await?;
        if valid.complexity > MOST {
            return Err(vec![too_complex(valid.complexity)]);
        }
        let admission = ctx.data_opt::<Arc<Admission>>();
        if let Some(Err(_)) = admission.map(|admission| admission.take_memory(valid.complexity)) {
            return Err(vec![error(BUSY.to_owned(), codes::UNAVAILABLE)]);
        }
        if let Some(Err(unpaid)) = ctx.data_opt::<RateCharge>().map(|charge| charge.pay(valid.complexity)) {
            return Err(vec![refusal(valid.complexity, unpaid)]);
        }
        if let Some(admission) = admission {
            admission.wait_for_turn().await;
        }
        Ok(valid)
    }
}

fn too_complex(complexity: usize) -> ServerError {
    let message = format!(
        "The operation costs {complexity} points; at most {MOST} are allowed. Ask for less at a time."
    );
    error(message, codes::VALIDATION_FAILED)
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
    error(message, code)
}

fn error(message: String, code: &str) -> ServerError {
    let mut error = ServerError::new(message, None);
    codes::set(&mut error, code);
    error
}
