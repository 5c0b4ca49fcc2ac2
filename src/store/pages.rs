//! Pages of lists, newest first (G8).
//!
//! The pages of many lists, for example the attempts of each event of a page of
//! events, are read by one statement: a union of their heads. Each part reads no
//! further than its page, however long its list is.

use std::pin::pin;

use futures_util::StreamExt;
use sea_orm::sea_query::{Asterisk, Expr, Order, Query, SelectStatement, UnionType};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    StreamTrait,
};

use crate::error::Result;
use crate::rules::page::Page;

/// SQLite joins at most 500 selects into one.
const MAX_UNION: usize = 500;

/// The column that tells whose row it is.
const LIST: &str = "list";

/// Reads one page of each list. A page has one row more than was asked for if the list goes on.
///
/// `id` is the column that the lists are ordered by and cursors stand for. Each row is shown to `room` as
/// it comes: there may be more than there is room for.
pub(crate) async fn read<E, R>(
    db: &impl StreamTrait,
    id: E::Column,
    lists: Vec<(Select<E>, Page)>,
    room: impl Fn(&R) -> Result<()>,
) -> Result<Vec<Vec<R>>>
where
    E: EntityTrait,
    R: FromQueryResult,
{
    let mut pages: Vec<Vec<R>> = std::iter::repeat_with(Vec::new).take(lists.len()).collect();
    let heads: Vec<_> =
        lists.into_iter().enumerate().map(|(list, (rows, page))| head(list, id, rows, &page)).collect();
    for heads in heads.chunks(MAX_UNION) {
        let Some((first, rest)) = heads.split_first() else { break };
        let union = first
            .clone()
            .unions(rest.iter().map(|head| (UnionType::All, head.clone())))
            .order_by(LIST, Order::Asc)
            .order_by(id, Order::Desc)
            .take();
        let mut rows = pin!(db.stream(&union).await?);
        while let Some(row) = rows.next().await.transpose()? {
            let list: i32 = row.try_get("", LIST)?;
            let row = R::from_query_result(&row, "")?;
            room(&row)?;
            pages[usize::try_from(list).unwrap_or_default()].push(row);
        }
    }
    Ok(pages)
}

fn head<E: EntityTrait>(list: usize, id: E::Column, rows: Select<E>, page: &Page) -> SelectStatement {
    let rows = match &page.after {
        Some(after) => rows.filter(id.lt(after.as_str())),
        None => rows,
    };
    let rows = rows.order_by_desc(id).limit(page.first + 1).into_query();
    Query::select()
        .expr_as(Expr::val(i32::try_from(list).unwrap_or(i32::MAX)), LIST)
        .column(Asterisk)
        .from_subquery(rows, "head")
        .take()
}
