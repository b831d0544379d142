import Broker
import JobModel

/// Commands that change which queues are served.
enum QueueCommands {
    /// The most queues that one worker serves, as in its settings.
    static let maximumQueues = 64

    static let all: [ControlCommand] = [
        .change("add_consumer") { arguments, site in
            let queue = try name(arguments)
            let kind = arguments["exchange_type"]?.stringValue ?? "direct"
            guard kind == "direct" else {
                throw ControlFailure(
                    "NotImplementedError", "only queues of direct exchanges can be added")
            }
            guard site.fetcher.queues.contains(queue) || site.fetcher.queues.count < maximumQueues
            else {
                throw ControlFailure("ValueError", "at most \(maximumQueues) queues are served")
            }
            try await site.broker.bind(
                queue, to: arguments["exchange"]?.stringValue ?? queue.text,
                by: arguments["routing_key"]?.stringValue ?? queue.text)
            site.fetcher.serve { queues in
                if !queues.contains(queue) { queues.append(queue) }
            }
            site.presence.note(queues: site.fetcher.queues)
            return .ok("add consumer \(queue)")
        },
        .change("cancel_consumer") { arguments, site in
            let queue = try name(arguments)
            site.fetcher.serve { queues in queues.removeAll { $0 == queue } }
            site.presence.note(queues: site.fetcher.queues)
            return .ok("no longer consuming from \(queue)")
        },
    ]

    private static func name(_ arguments: ControlArguments) throws(ControlFailure) -> QueueName {
        let text = try arguments.text("queue")
        do throws(InvalidName) { return try QueueName(text) } catch {
            throw ControlFailure("ValueError", "\(error)")
        }
    }
}
