import Foundation
import JobModel

/// Commands that describe the worker itself.
enum DescriptionCommands {
    private static let bytesPerMegabyte = 1_048_576.0
    /// What Celery shows of a task unless asked for more.
    private static let usualItems = ["exchange", "routing_key", "rate_limit"]

    static let all: [ControlCommand] = [
        .inspect("registered") { arguments, site in
            let items = try arguments["taskinfoitems"].map { try arguments.texts($0) }
            let names = site.registry.names.filter {
                arguments.flag("builtins") || !$0.text.hasPrefix("celery.")
            }
            return .array(names.map { .string(description(of: $0, items, at: site)) })
        },
        .inspect("stats") { _, site in .object(stats(of: site)) },
        .inspect("active_queues") { _, site in .array(site.fetcher.queues.map(queue)) },
        .inspect("conf") { arguments, site in
            .object(site.ports.conf(arguments.flag("with_defaults")))
        },
        .inspect("report") { _, site in .ok(site.ports.report()) },
        .inspect("memsample") { _, site in memory(of: site).map(JSONValue.string) },
        .inspect("memdump") { _, site in
            .string("\(memory(of: site) ?? "?") now; this worker keeps no samples\n")
        },
        .inspect("objgraph") { _, _ in
            throw ControlFailure("ImportError", "Requires the objgraph library")
        },
        .inspect("hello") { arguments, site in
            guard try arguments.text("from_node") != site.node else { return JSONValue.null }
            // Celery 5.6 and older send an object with the ids as keys.
            let theirs: [String] =
                switch arguments["revoked"] {
                case .array(let ids)?: ids.compactMap(\.stringValue)
                case .object(let ids)?: ids.keys
                default: []
                }
            site.cancellations.add(
                revoked: theirs.prefix(WorkCommands.maximumRevoked).map { JobID($0) },
                terminating: false)
            let ours = site.cancellations.revokedIDs(limit: WorkCommands.maximumRevoked)
            return [
                "revoked": .array(ours.map { .string($0.text) }),
                "clock": .number(JSONNumber(site.ports.clock.next())),
            ]
        },
    ]

    private static func description(
        of name: JobName, _ items: [String]?, at site: ControlSite
    ) -> String {
        guard let policy = site.registry[name]?.policy else { return name.text }
        // The command line sends an empty list.
        let wanted = items?.isEmpty == false ? items : nil
        let facts = (wanted ?? usualItems).compactMap { item in
            fact(item, of: name, policy, at: site).map { "\(item)=\($0)" }
        }
        return facts.isEmpty ? name.text : "\(name) [\(facts.joined(separator: " "))]"
    }

    /// One attribute of a task as Celery names it; nil when it has none, as most of Python's do.
    private static func fact(
        _ item: String, of name: JobName, _ policy: JobPolicy, at site: ControlSite
    ) -> String? {
        switch item {
        case "name": name.text
        case "rate_limit": site.tuning.rate(of: name, policy)?.text
        case "queue": policy.queue.text
        case "max_retries": "\(policy.retry.maximumRetries)"
        case "ignore_result": policy.storesResult ? "False" : "True"
        case "soft_time_limit":
            "\((site.tuning.limits(of: name)?.soft ?? policy.timeLimit).inSeconds)"
        case "time_limit":
            (site.tuning.limits(of: name)?.hard ?? policy.hardTimeLimit).map { "\($0.inSeconds)" }
        default: nil
        }
    }

    private static func stats(of site: ControlSite) -> JSONObject {
        var stats: JSONObject = [
            "total": .object(
                JSONObject(
                    site.kinds.started.sorted { $0.key.text < $1.key.text }
                        .map { ($0.key.text, .number(JSONNumber($0.value))) })),
            "pid": .number(JSONNumber(site.processID)),
            "clock": .string("\(site.ports.clock.value)"),
            "uptime": .number(
                JSONNumber(Int(site.time.now.timeIntervalSince(site.startedAt).rounded()))),
            "pool": .object(pool(of: site)),
        ]
        if let autoscaler = site.autoscaler {
            let bounds = autoscaler.bounds
            stats["autoscaler"] = [
                "max": .number(JSONNumber(bounds.upperBound)),
                "min": .number(JSONNumber(bounds.lowerBound)),
                "current": .number(JSONNumber(site.lanes.count)),
                "qty": .number(JSONNumber(site.runs.count)),
            ]
        }
        stats["broker"] = .object(site.ports.brokerInfo)
        stats["prefetch_count"] = .number(
            JSONNumber(site.lanes.count + site.options.prefetch))
        stats["rusage"] = .object(site.ports.rusage())
        return stats
    }

    private static func pool(of site: ControlSite) -> JSONObject {
        [
            "implementation": "backhaul:LanePool",
            "max-concurrency": .number(JSONNumber(site.lanes.count)),
            "processes": [.number(JSONNumber(site.processID))], "max-tasks-per-child": "N/A",
            "put-guarded-by-semaphore": false, "timeouts": [0, 0], "writes": "N/A",
        ]
    }

    /// One queue with every key that Celery's clients look for.
    private static func queue(_ queue: QueueName) -> JSONValue {
        let name = JSONValue.string(queue.text)
        return [
            "name": name,
            "exchange": [
                "name": name, "type": "direct", "arguments": nil, "durable": true,
                "passive": false, "auto_delete": false, "delivery_mode": nil, "no_declare": false,
            ],
            "routing_key": name, "queue_arguments": nil, "binding_arguments": nil,
            "consumer_arguments": nil, "durable": true, "exclusive": false, "auto_delete": false,
            "no_ack": false, "alias": nil, "bindings": [], "no_declare": nil, "expires": nil,
            "message_ttl": nil, "max_length": nil, "max_length_bytes": nil, "max_priority": nil,
        ]
    }

    private static func memory(of site: ControlSite) -> String? {
        site.ports.residentBytes().map { bytes in
            let megabytes = (Double(bytes) / bytesPerMegabyte * 1000).rounded() / 1000
            return "\(megabytes)MB"
        }
    }
}
