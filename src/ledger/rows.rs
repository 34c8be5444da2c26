//! Between columns and evac's types: words, ids, times, numbers.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ledger::error::LedgerError;
use crate::model::Timestamp;

/// A type that its JSON form turns into one word, kept as text: ids, states, reasons.
pub(super) struct Word<T>(pub T);

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(text)) => Ok(ToSqlOutput::from(text)),
            Ok(_) => Err(rusqlite::Error::ToSqlConversionFailure("not a word".into())),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?.to_owned();
        serde_json::from_value(serde_json::Value::String(text))
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

/// A type kept as JSON text.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A word in a column.
pub(super) fn word<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, LedgerError> {
    Ok(row.get::<_, Word<T>>(column)?.0)
}

/// A word in a column that may be empty.
pub(super) fn word_or_none<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> Result<Option<T>, LedgerError> {
    Ok(row.get::<_, Option<Word<T>>>(column)?.map(|word| word.0))
}

/// A time in a column that may be empty.
pub(super) fn time_or_none(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>, LedgerError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(time))
}

/// As a column holds it.
pub(super) fn millisecond(at: Timestamp) -> i64 {
    at.as_jiff().as_millisecond()
}

/// From a column; clamped to what a calendar can hold.
pub(super) fn time(millisecond: i64) -> Timestamp {
    jiff::Timestamp::from_millisecond(millisecond)
        .map_or_else(|_| Timestamp::from_second(millisecond / 1_000), Timestamp::new)
}

/// A number as a column holds it; what does not fit 63 bits is nothing evac can have counted.
pub(super) struct Count(pub u64);

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(i64::try_from(self.0).unwrap_or(i64::MAX)))
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(FromSqlError::other)
    }
}
