//! What is asked for; everything behind one door.
//!
//! **Promise.** Handlers work on threads that may wait. One that panics is a fault of ours, and a
//! page that says so; nothing of it reaches the client.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Form, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, Uri, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde::Deserialize;

use crate::publish::Language;
use crate::web::answer::Answer;
use crate::web::app::{Admitted, App, Knock, Trouble, Visit};
use crate::web::people::{Session, is_same};
use crate::web::server::Peer;
use crate::web::{live, support};

/// Longest form.
const FORM_BYTES_MAX: usize = 64 << 10;
/// What a browser keeps a link under.
const LINK: &str = "/t/";

/// What may stand behind a `?`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// What the caller says.
    pub(super) q: Option<String>,
    /// How he proved who he is.
    pub(super) verified: Option<String>,
    /// Was something just written down?
    pub(super) noted: Option<String>,
    /// Does the live view stand still?
    pub(super) still: Option<String>,
}

/// What is written down.
#[derive(Debug, Deserialize)]
pub(super) struct Noted {
    pub(super) form: String,
    pub(super) text: String,
    pub(super) verified: Option<String>,
}

/// A form without anything in it.
#[derive(Debug, Deserialize)]
struct Bare {
    form: String,
}

/// All pages.
pub(super) fn router(app: Arc<App>) -> Router {
    let inside = Router::new()
        .route("/", get(home))
        .route("/customer/{id}", get(customer))
        .route("/customer/{id}/note", post(note))
        .route("/live", get(live_view))
        .route("/leave", post(leave))
        .fallback(missing)
        .method_not_allowed_fallback(missing)
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .with_state(Arc::clone(&app));
    // The door stands around the whole: within a route, a stranger would be told its methods.
    Router::new().fallback_service(inside).layer(middleware::from_fn_with_state(app, enter))
}

/// The door.
async fn enter(
    State(app): State<Arc<App>>,
    Extension(Peer(from)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let (uri, headers) = (request.uri(), request.headers());
    let link = uri.path().strip_prefix(LINK);
    let chosen = chosen(uri);
    let knock = Knock {
        is_ours: app.door.is_ours(uri, headers),
        session: link.map_or_else(|| app.door.session(headers), Session::of_link),
        by_link: link.is_some(),
        from,
        chosen,
        language: chosen.unwrap_or_else(|| preferred(headers)),
    };
    let language = knock.language;
    // Whoever keeps looking stays in: a screen on the wall must not go dark in mid-night.
    let kept = HeaderValue::from_str(&app.door.keep(Some(&knock.session)));
    match on_thread(&app, language, move |app| app.admit(&knock)).await {
        Ok(Admitted::In(visit)) => {
            request.extensions_mut().insert(visit);
            let mut response = next.run(request).await;
            if let (Ok(kept), false) = (kept, response.headers().contains_key(header::SET_COOKIE)) {
                response.headers_mut().insert(header::SET_COOKIE, kept);
            }
            response
        }
        Ok(Admitted::ByLink(answer)) => answer.response(&app.policy),
        Err(response) => response,
    }
}

/// Works on a thread that may wait; what panics there is a fault of ours, and is no answer.
async fn on_thread<T: Send + 'static>(
    app: &Arc<App>,
    language: Language,
    work: impl FnOnce(&App) -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Response<Body>> {
    let inside = Arc::clone(app);
    let done = tokio::task::spawn_blocking(move || work(&inside)).await;
    let done = done.unwrap_or_else(|error| {
        app.desk.complain(&error);
        Err(Trouble::Broken)
    });
    done.map_err(|trouble| app.trouble(trouble, language).response(&app.policy))
}

async fn answered(
    app: Arc<App>,
    visit: Visit,
    work: impl FnOnce(&App, &Visit) -> Result<Answer, Trouble> + Send + 'static,
) -> Response<Body> {
    let done = on_thread(&app, visit.language, move |app| work(app, &visit)).await;
    done.map_or_else(|response| response, |answer| answer.response(&app.policy))
}

type Asking = Result<Query<Asked>, QueryRejection>;

async fn home(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
    asked: Asking,
) -> Response<Body> {
    answered(app, visit, move |app, visit| {
        let asked = of(asked)?;
        if app.views.support {
            support::home(app, visit, &asked)
        } else {
            live::page(app, visit, &asked).or_else(|trouble| live::later(app, visit, trouble))
        }
    })
    .await
}

async fn customer(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
    asked: Asking,
) -> Response<Body> {
    answered(app, visit, move |app, visit| {
        support::customer(app, visit, customer_in(&uri), &of(asked)?)
    })
    .await
}

async fn note(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
    uri: Uri,
    headers: HeaderMap,
    noted: Result<Form<Noted>, FormRejection>,
) -> Response<Body> {
    answered(app, visit, move |app, visit| {
        let Form(noted) = noted.map_err(|_| Trouble::Form)?;
        is_own_form(visit, &headers, &noted.form)?;
        support::note(app, visit, customer_in(&uri), &noted)
    })
    .await
}

async fn live_view(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
    asked: Asking,
) -> Response<Body> {
    answered(app, visit, move |app, visit| {
        let asked = of(asked)?;
        live::page(app, visit, &asked).or_else(|trouble| live::later(app, visit, trouble))
    })
    .await
}

/// The browser forgets its session.
async fn leave(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
    headers: HeaderMap,
    bare: Result<Form<Bare>, FormRejection>,
) -> Response<Body> {
    answered(app, visit, move |app, visit| {
        let Form(bare) = bare.map_err(|_| Trouble::Form)?;
        is_own_form(visit, &headers, &bare.form)?;
        Ok(Answer { cookie: Some(app.door.keep(None)), ..Answer::see("/".to_owned()) })
    })
    .await
}

async fn missing(
    State(app): State<Arc<App>>,
    Extension(visit): Extension<Visit>,
) -> Response<Body> {
    answered(app, visit, |_, _| Err(Trouble::Missing)).await
}

fn of(asked: Asking) -> Result<Asked, Trouble> {
    asked.map(|Query(asked)| asked).map_err(|_| Trouble::Form)
}

/// ID of `/customer/ID` and `/customer/ID/note`.
fn customer_in(uri: &Uri) -> &str {
    uri.path().split('/').nth(2).unwrap_or_default()
}

/// Forms come from a page of the same session, and browsers say so.
fn is_own_form(visit: &Visit, headers: &HeaderMap, key: &str) -> Result<(), Trouble> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_near = site.is_none_or(|site| site == b"same-origin" || site == b"none");
    let is_own = is_near && is_same(key, &visit.person.form);
    if is_own { Ok(()) } else { Err(Trouble::Form) }
}

/// `lang=nl`.
fn chosen(uri: &Uri) -> Option<Language> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.filter_map(|pair| pair.strip_prefix("lang=")).find_map(|code| code.parse().ok())
}

/// The first language of the browser's that there are texts in; its order is its preference.
fn preferred(headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let codes = accepted.split(',').filter_map(|one| one.trim().get(..2));
    codes.take(20).find_map(|code| code.parse().ok()).unwrap_or(Language::En)
}
