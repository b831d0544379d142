/// A job to be sent, with its arguments and options, before it is a message: Celery's signature.
///
/// It may also be a composition of others: a chain, a group, or a chord. Signatures are values;
/// they travel inside messages, because the worker that ends one job sends the next.
///
/// Source: Celery's canvas, as it shows on the wire.
public struct Signature: Sendable, Hashable {
    /// What a signature is made of.
    package indirect enum Shape: Sendable, Hashable {
        /// One job.
        case task
        /// One after the other, each with the result of the one before.
        case chain([Signature])
        /// All at once.
        case group([Signature])
        /// A group, and a body that is given all its results.
        case chord(header: [Signature], body: Signature)
    }

    /// The job's name; of compositions, the name that Celery gives them.
    public var name: JobName
    /// The positional arguments.
    public var args: [JSONValue]
    /// The keyword arguments; of compositions, those beside their members.
    public var kwargs: JSONObject
    /// What decides how it is sent.
    ///
    /// Celery's `queue`, `countdown`, `task_id`, `link`, `priority` and others.
    ///
    /// Options that are unknown here are carried on.
    public var options: JSONObject
    /// Whether it ignores the result of the job before it.
    public var isImmutable: Bool
    package var shape: Shape
    /// `options` of a chord's header, when it is written as a group of its own.
    package var headerOptions = JSONObject()
    /// Fields that are unknown here, carried on.
    package var unknownFields = JSONObject()
    /// What went wrong when it was built; said when it is sent, so that building needs no `try`.
    package var problem: CanvasError?

    /// One job by its name, written in any language.
    public init(
        _ name: JobName, args: [JSONValue] = [], kwargs: JSONObject = JSONObject(),
        options: JSONObject = JSONObject(), isImmutable: Bool = false
    ) {
        self.name = name
        self.args = args
        self.kwargs = kwargs
        self.options = options
        self.isImmutable = isImmutable
        shape = .task
    }

    private init(
        _ name: JobName, _ shape: Shape, _ options: JSONObject, of parts: some Sequence<Signature>
    ) {
        self.init(name, options: options)
        self.shape = shape
        problem = parts.lazy.compactMap(\.problem).first
    }

    /// Jobs one after the other, each given the result of the one before as its first argument.
    public static func chain(
        _ steps: [Signature], options: JSONObject = JSONObject()
    ) -> Signature {
        Signature("celery.chain", .chain(steps), options, of: steps)
    }

    /// Jobs that may all run at once.
    public static func group(
        _ members: [Signature], options: JSONObject = JSONObject()
    ) -> Signature {
        Signature("celery.group", .group(members), options, of: members)
    }

    /// Jobs that may all run at once, and a body that is given the list of their results.
    public static func chord(
        _ header: [Signature], body: Signature, options: JSONObject = JSONObject()
    ) -> Signature {
        Signature("celery.chord", .chord(header: header, body: body), options, of: header + [body])
    }

    /// The same, ignoring the result of the job before it; of a group or chord, all that would be
    /// given it.
    public var immutable: Signature {
        var copy = self
        switch shape {
        case .task, .chain: copy.isImmutable = true
        case .group(let members): copy.shape = .group(members.map(\.immutable))
        case .chord(let header, let body):
            copy.shape = .chord(header: header.map(\.immutable), body: body)
        }
        return copy
    }

    /// The same with another option; `nil` takes it away.
    public func with(_ option: String, _ value: JSONValue?) -> Signature {
        var copy = self
        copy.options[option] = value
        return copy
    }
}
