import Foundation
import JobModel
import Store

/// A job on its way into the outbox, made from what an enqueuer is given.
struct OutboxRequest {
    private(set) var draft: OutboxDraft

    init<Work: Job>(
        _ job: Work.Type, _ payload: Work.Payload, _ options: EnqueueOptions, dedup: String?,
        orderingKey: String?, now: Date
    ) throws(EnqueueError) {
        let kwargs: JSONObject
        do throws(CanvasError) { kwargs = try job.keywords(of: payload) } catch {
            throw EnqueueError(error)
        }
        var options = options
        options.queue = options.queue ?? Work.policy.queue
        try self.init(
            Work.name, args: [], kwargs: kwargs, options, dedup: dedup, orderingKey: orderingKey,
            now: now)
    }

    init(
        _ name: JobName, args: [JSONValue], kwargs: JSONObject, _ options: EnqueueOptions,
        dedup: String?, orderingKey: String?, now: Date
    ) throws(EnqueueError) {
        guard options.id == nil else {
            throw EnqueueError(
                code: .refused,
                message: "the outbox gives the id; use dedup to make a repeat recognisable")
        }
        var headers = options.headers
        if let wish = options.ignoresResult { headers["ignore_result"] = .bool(wish) }
        if let limit = options.timeLimit {
            headers["timelimit"] = [.null, .number(JSONNumber(limit.inSeconds))]
        }
        draft = OutboxDraft(
            job: name, args: Self.text(.array(args)), kwargs: Self.text(.object(kwargs)),
            headers: Self.text(.object(headers)))
        draft.queue = options.queue
        draft.at = options.at ?? options.delay.map { now.addingTimeInterval($0.inSeconds) }
        draft.dedup = dedup
        draft.priority = options.priority
        draft.expires = options.expires
        draft.orderingKey = orderingKey
    }

    private static func text(_ value: JSONValue) -> String {
        String(decoding: value.encoded(), as: UTF8.self)
    }
}
