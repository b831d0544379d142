public import JobModel

extension Job {
    /// This job with a payload, to be sent or to be made part of a workflow.
    ///
    /// It goes to the queue of the job's policy, whoever sends it on. The result of a job before it
    /// in a chain comes as the first positional argument, and so before all that is named in the
    /// payload: say `.immutable` when the payload is complete. A payload that cannot be encoded is
    /// reported when the signature is sent.
    public static func signature(_ payload: Payload) -> Signature {
        var signature = Signature(name)
        do throws(CanvasError) {
            signature.kwargs = try keywords(of: payload)
        } catch {
            signature.problem = error
        }
        return signature.onOwnQueue(of: policy)
    }

    /// This job with the arguments that a step before it does not give, by position and name.
    public static func signature(
        args: [JSONValue] = [], kwargs: JSONObject = JSONObject()
    ) -> Signature {
        Signature(name, args: args, kwargs: kwargs).onOwnQueue(of: policy)
    }

    static func keywords(of payload: Payload) throws(CanvasError) -> JSONObject {
        let value: JSONValue
        do { value = try JSONValue(encoding: payload) } catch { throw unencodable(error) }
        guard case .object(let kwargs) = value else {
            throw CanvasError(
                code: "canvas.payload",
                message: "the payload of \(name) is not a struct with named fields")
        }
        return kwargs
    }

    /// Writes what ``keywords(of:)`` returns.
    static func write(_ payload: Payload, to keywords: KeywordsWriter) throws(CanvasError) {
        do {
            if try keywords.write(payload) { return }
        } catch { throw unencodable(error) }
        keywords.write(try self.keywords(of: payload))
    }

    private static func unencodable(_ error: any Error) -> CanvasError {
        CanvasError(
            code: "canvas.payload", message: "the payload of \(name) cannot be encoded: \(error)")
    }
}

extension Signature {
    /// Celery's default queue is left out: it is where a job goes that names none.
    fileprivate func onOwnQueue(of policy: JobPolicy) -> Signature {
        policy.queue == .celery ? self : on(queue: policy.queue)
    }
}
