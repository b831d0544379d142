public import JobModel

/// Lists signatures one below the other, with `if`, `switch` and `for`.
@resultBuilder
public enum CanvasBuilder {
    /// One signature.
    public static func buildExpression(_ signature: Signature) -> [Signature] { [signature] }

    /// Several at once.
    public static func buildExpression(_ signatures: [Signature]) -> [Signature] { signatures }

    /// All of a block, in order.
    public static func buildBlock(_ parts: [Signature]...) -> [Signature] { Array(parts.joined()) }

    /// `if` without `else`.
    public static func buildOptional(_ part: [Signature]?) -> [Signature] { part ?? [] }

    /// `if`, and the cases of a `switch`.
    public static func buildEither(first part: [Signature]) -> [Signature] { part }

    /// `else`, and the other cases of a `switch`.
    public static func buildEither(second part: [Signature]) -> [Signature] { part }

    /// `for`.
    public static func buildArray(_ parts: [[Signature]]) -> [Signature] { Array(parts.joined()) }

    /// `if #available`.
    public static func buildLimitedAvailability(_ part: [Signature]) -> [Signature] { part }
}

/// Jobs one after the other, each given the result of the one before as its first argument.
///
/// ```swift
/// let sent = try await enqueuer.apply(
///     chain {
///         Provision.signature(.init(service_id: 7))
///         group { for port in ports { ConfigurePort.signature(.init(port: port)).immutable } }
///         Signature("billing.notify", args: ["done"], isImmutable: true)  // a Python task
///     }
///     .onFailure(Signature("support.open_ticket")))
/// ```
///
/// The result is that of the last step. A group that has a step behind it is waited for, and that
/// step given the list of its results.
public func chain(@CanvasBuilder _ steps: () -> [Signature]) -> Signature { .chain(steps()) }

/// Jobs that may all run at once.
public func group(@CanvasBuilder _ members: () -> [Signature]) -> Signature { .group(members()) }

/// Jobs that may all run at once, and a body that is given the list of their results, in order.
///
/// A body of several signatures is a chain. When a member fails, so does the body, without being
/// run.
public func chord(
    @CanvasBuilder _ header: () -> [Signature], @CanvasBuilder then body: () -> [Signature]
) -> Signature {
    let body = body()
    return .chord(header(), body: body.count == 1 ? body[0] : .chain(body))
}
