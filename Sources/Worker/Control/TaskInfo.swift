import Foundation
import JobModel

/// A job as Celery's inspection describes it.
struct TaskInfo: Sendable {
    let message: JobMessage
    /// When it began to run; nil before.
    let startedAt: Date?

    /// The description; with `safe` the arguments as text, as their sender wrote them.
    func json(in site: ControlSite, safe: Bool = false) -> JSONValue {
        let request = JobRequest(message)
        var args: JSONValue = request.headers["argsrepr"] ?? .null
        var kwargs: JSONValue = request.headers["kwargsrepr"] ?? .null
        if !safe, let body = try? message.body(limits: site.options.limits) {
            args = .array(body.args)
            kwargs = .object(body.kwargs)
        }
        let name = request.shadow ?? message.name.text
        return [
            "id": .string(message.id.text), "name": .string(name), "args": args,
            "kwargs": kwargs, "type": .string(message.name.text),
            "hostname": .string(site.node),
            "time_start": startedAt.map {
                .number(JSONNumber($0.timeIntervalSince1970))
            } ?? .null,
            // Celery's word for begun, unless a task asks to be acknowledged late.
            "acknowledged": .bool(startedAt != nil), "delivery_info": .object(request.deliveryInfo),
            "worker_pid": startedAt.map { _ in .number(JSONNumber(site.processID)) } ?? .null,
        ]
    }
}

extension ControlSite {
    /// The jobs that run, the longest first.
    var active: [TaskInfo] {
        let now = time.now
        return runs.glimpses.map {
            TaskInfo(message: $0.message, startedAt: now.addingTimeInterval(-$0.elapsed.inSeconds))
        }
    }

    /// The jobs that are held and have not begun, the next one first.
    var reserved: [TaskInfo] {
        fetcher.ready.compactMap { delivery in
            (try? JobMessage(decoding: delivery.raw, limits: options.limits)).map {
                TaskInfo(message: $0, startedAt: nil)
            }
        }
    }
}
