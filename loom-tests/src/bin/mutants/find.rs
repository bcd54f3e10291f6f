//! Finds the mutants that need no imagination, in the syntax tree of the production code.
//!
//! * every ordering of an atomic operation, one step weaker;
//! * every read-modify-write, torn into a load and a store;
//! * every fence, left out;
//! * every comparison of a generation, left out: `(a ^ b) & mask == 0` and `!= 0`.
//!
//! What it cannot place, it refuses: an ordering that is no argument of an atomic operation, a `cfg` on a node it does not
//! look at, a macro that it cannot read and that speaks of orderings. So nothing escapes unseen.

use std::collections::{HashMap, HashSet};

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{
    Attribute, BinOp, Block, Expr, ExprLit, Ident, Item, Lit, Macro, Member, Pat, Path, Token, Type,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::{
    cfg::{self, Compiled},
    mutant::{Edit, Mutant, Place},
    orderings::{Operation, Role, is_ordering, weaker},
};

/// Brings the torn forms into a function's scope.
const IN_SCOPE: &str = " use crate::sync::{Torn as _, TornBits as _, TornNumber as _};";

/// What is found in one file.
pub struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    /// Modules, type and function around the node that is visited.
    around: Vec<String>,
    /// Where the body of the function begins.
    body: Option<usize>,
    compiled: Compiled,
    /// Where there are orderings and cfgs that were dealt with.
    known: HashSet<usize>,
    names: HashMap<String, usize>,
    pub mutants: Vec<Mutant>,
    pub places: Vec<Place>,
    /// Modules in files of their own: their names from this file's module, and where they are compiled.
    pub modules: Vec<(Vec<String>, Compiled)>,
    pub problems: Vec<String>,
}

impl<'a> Finder<'a> {
    pub fn new(file: &'a str, text: &'a str, compiled: Compiled) -> Self {
        Self {
            file,
            text,
            around: Vec::new(),
            body: None,
            compiled,
            known: HashSet::new(),
            names: HashMap::new(),
            mutants: Vec::new(),
            places: Vec::new(),
            modules: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn problem(&mut self, span: Span, what: &str) {
        let at = span.start();
        self.problems.push(format!("ring/src/{}:{}:{}: {what}", self.file, at.line, at.column + 1));
    }

    fn text_of(&self, span: Span) -> &'a str {
        &self.text[span.byte_range()]
    }

    /// A name made of the enclosing function and `what`, with a number if there is more than one.
    fn named(&mut self, what: &str) -> String {
        let around = self.around.join("::");
        let name = if around.is_empty() { what.to_owned() } else { format!("{around}: {what}") };
        let count = self.names.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { name } else { format!("{name} ({count})") }
    }

    fn edit(&self, span: Span, text: impl Into<String>) -> Edit {
        Edit { file: self.file.to_owned(), range: span.byte_range(), text: text.into() }
    }

    fn found(&mut self, what: &str, node: Span, edits: Vec<Edit>) {
        let change = self.text_of(node).split_whitespace().collect::<Vec<_>>().join(" ");
        let mutant = Mutant {
            file: self.file.to_owned(),
            name: self.named(what),
            change: format!("`{}`", change.replace("( ", "(").replace(", )", ")").replace(" .", ".")),
            edits,
            modelled: self.compiled.under_loom,
            witness: None,
            why: None,
        };
        self.mutants.push(mutant);
    }

    /// Visits a node that may not be compiled everywhere; code that is not for production is passed over. With `acts`, there is
    /// something in it that could be broken.
    fn node(&mut self, attributes: &[Attribute], span: Span, acts: bool, visit: impl FnOnce(&mut Self)) {
        let outside = self.compiled;
        self.known.extend(attributes.iter().filter(|attribute| cfg::is_cfg(attribute)).map(cfg::position));
        match outside.narrowed(attributes) {
            Ok(inside) => self.compiled = inside,
            Err(error) => self.problem(error.span(), &error.to_string()),
        }
        if self.compiled.in_production {
            if acts && outside.under_loom && !self.compiled.under_loom {
                let line = self.text[cfg::start_behind(attributes, span)..].trim_start().lines().next().unwrap_or("");
                let name = self.named(line.trim_end_matches(['{', ' ', ';', ',', '(', '=', '>']));
                self.places.push(Place { file: self.file.to_owned(), name, range: span.byte_range(), why: None });
            }
            visit(self);
        }
        self.compiled = outside;
    }

    fn within(&mut self, name: String, body: Option<&Block>, visit: impl FnOnce(&mut Self)) {
        let outer = self.body;
        self.around.push(name);
        if let Some(body) = body {
            self.body = Some(body.brace_token.span.open().byte_range().end);
        }
        visit(self);
        self.body = outer;
        self.around.pop();
    }

    /// One mutant for each ordering that can be weaker, and one for the torn operation.
    fn atomic(&mut self, call: &syn::ExprMethodCall, operation: &Operation) {
        let (place, method) = (last_name(&call.receiver), call.method.to_string());
        for &(index, role) in operation.orderings {
            let Some(Expr::Path(argument)) = call.args.get(index) else { continue };
            let Some(from) = argument.path.segments.last() else { continue };
            self.known.insert(argument.path.span().byte_range().start);
            for to in weaker(role, &from.ident.to_string()) {
                let half = if role == Role::Failure { ", failure" } else { "" };
                let what = format!("{place}.{method}{half} {} to {to}", from.ident);
                self.found(&what, call.span(), vec![self.edit(from.ident.span(), *to)]);
            }
        }
        if operation.modifies
            && let Some(body) = self.body
        {
            let scope = Edit { file: self.file.to_owned(), range: body..body, text: IN_SCOPE.to_owned() };
            let torn = self.edit(call.method.span(), format!("torn_{method}"));
            self.found(&format!("{place}.{method} torn"), call.span(), vec![scope, torn]);
        }
    }

    /// Visits what a macro is called with, if it is something like Rust.
    fn macro_body(&mut self, tokens: &TokenStream) -> bool {
        let expressions = Punctuated::<Expr, Token![,]>::parse_terminated;
        let matches = |input: ParseStream<'_>| {
            let value = input.parse::<Expr>()?;
            input.parse::<Token![,]>()?;
            Pat::parse_multi_with_leading_vert(input)?;
            let guard = if input.parse::<Option<Token![if]>>()?.is_some() { Some(input.parse()?) } else { None };
            input.parse::<Option<Token![,]>>()?;
            Ok(std::iter::once(value).chain(guard).collect::<Vec<Expr>>())
        };
        if let Ok(found) = expressions.parse2(tokens.clone()) {
            found.iter().for_each(|expr| self.visit_expr(expr));
        } else if let Ok(found) = matches.parse2(tokens.clone()) {
            found.iter().for_each(|expr| self.visit_expr(expr));
        } else if let Ok(found) = syn::parse2::<syn::File>(tokens.clone()) {
            self.visit_file(&found);
        } else {
            return false;
        }
        true
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if cfg::is_cfg(attribute) && !self.known.contains(&cfg::position(attribute)) {
            self.problem(attribute.span(), "a cfg on a node whose attributes this tool does not look at");
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        let declares = match item {
            Item::Use(_) => true,
            Item::Const(constant) => constant.ident == "_",
            Item::Mod(module) => module.content.is_none(),
            _ => false,
        };
        self.node(cfg::of_item(item), item.span(), !declares, |this| visit::visit_item(this, item));
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        self.node(cfg::of_impl_item(item), item.span(), true, |this| visit::visit_impl_item(this, item));
    }

    fn visit_trait_item(&mut self, item: &'ast syn::TraitItem) {
        self.node(cfg::of_trait_item(item), item.span(), true, |this| visit::visit_trait_item(this, item));
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        self.node(&arm.attrs, arm.span(), true, |this| visit::visit_arm(this, arm));
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.node(&variant.attrs, variant.span(), false, |this| visit::visit_variant(this, variant));
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        self.node(&field.attrs, field.span(), false, |this| visit::visit_field(this, field));
    }

    fn visit_field_value(&mut self, value: &'ast syn::FieldValue) {
        self.node(&value.attrs, value.span(), true, |this| visit::visit_field_value(this, value));
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        self.node(&local.attrs, local.span(), true, |this| visit::visit_local(this, local));
    }

    fn visit_stmt_macro(&mut self, statement: &'ast syn::StmtMacro) {
        self.node(&statement.attrs, statement.span(), true, |this| visit::visit_stmt_macro(this, statement));
    }

    fn visit_expr(&mut self, expr: &'ast Expr) {
        self.node(cfg::of_expr(expr), expr.span(), true, |this| visit::visit_expr(this, expr));
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        if module.content.is_none() {
            let mut path = self.around.clone();
            path.push(name);
            self.modules.push((path, self.compiled));
        } else {
            self.within(name, None, |this| visit::visit_item_mod(this, module));
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let name = name.unwrap_or_else(|| self.text_of(item.self_ty.span()).to_owned());
        self.within(name, None, |this| visit::visit_item_impl(this, item));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.within(item.ident.to_string(), None, |this| visit::visit_item_trait(this, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(item.sig.ident.to_string(), Some(&item.block), |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(item.sig.ident.to_string(), Some(&item.block), |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.within(item.sig.ident.to_string(), item.default.as_ref(), |this| visit::visit_trait_item_fn(this, item));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if let Some(operation) = Operation::of(&call.method.to_string(), call.args.len()) {
            self.atomic(call, &operation);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && function.path.segments.last().is_some_and(|last| last.ident == "fence" || last.ident == "compiler_fence")
        {
            self.known.extend(call.args.iter().map(|argument| argument.span().byte_range().start));
            let what = format!("{} left out", self.text_of(function.path.span()));
            self.found(&what, call.span(), vec![self.edit(call.span(), "()")]);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let always = match binary.op {
            BinOp::Eq(_) => "true",
            BinOp::Ne(_) => "false",
            _ => "",
        };
        if !always.is_empty() && is_masked_difference(&binary.left) && is_zero(&binary.right) {
            self.found("generation not compared", binary.span(), vec![self.edit(binary.span(), always)]);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let last = path.segments.last().map(|last| last.ident.to_string());
        let known = self.known.contains(&path.span().byte_range().start);
        if last.is_some_and(|last| is_ordering(&last) && last != "Relaxed") && !known {
            self.problem(path.span(), "an ordering that is not an argument of an atomic operation");
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let rules = call.path.is_ident("macro_rules");
        if (rules || !self.macro_body(&call.tokens)) && speaks_of_atomics(call.tokens.clone()) {
            self.problem(call.span(), "a macro that this tool cannot read, and that speaks of atomics");
        }
    }
}

/// The field or variable that a method is called on.
fn last_name(receiver: &Expr) -> String {
    match receiver {
        Expr::Field(field) => match &field.member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) if matches!(&*field.base, Expr::Path(_)) => index.index.to_string(),
            Member::Unnamed(_) => last_name(&field.base),
        },
        Expr::Path(path) => path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string()),
        Expr::Index(index) => last_name(&index.expr),
        Expr::MethodCall(call) => call.method.to_string(),
        Expr::Paren(paren) => last_name(&paren.expr),
        Expr::Reference(reference) => last_name(&reference.expr),
        Expr::Unary(unary) => last_name(&unary.expr),
        _ => "it".to_owned(),
    }
}

/// `(a ^ b) & mask`.
fn is_masked_difference(expr: &Expr) -> bool {
    let Expr::Binary(and) = expr else { return false };
    let Expr::Paren(difference) = &*and.left else { return false };
    matches!(and.op, BinOp::BitAnd(_))
        && matches!(&*difference.expr, Expr::Binary(xor) if matches!(xor.op, BinOp::BitXor(_)))
}

fn is_zero(expr: &Expr) -> bool {
    matches!(expr, Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.base10_digits() == "0")
}

fn speaks_of_atomics(tokens: TokenStream) -> bool {
    let is_one = |name: &Ident| {
        let name = name.to_string();
        is_ordering(&name) || name.starts_with("fetch_") || name.starts_with("compare_exchange")
    };
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(name) => is_one(&name),
        TokenTree::Group(group) => speaks_of_atomics(group.stream()),
        _ => false,
    })
}
