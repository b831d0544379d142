package import JobModel
import Redis

/// The record of a job that is known to have succeeded.
package struct StoredSuccess: Sendable, Equatable {
    /// What it returned.
    package let result: JSONValue
    /// The results of what it sent, as Celery's tuples.
    package let children: [JSONValue]

    package init(result: JSONValue, children: [JSONValue]) {
        self.result = result
        self.children = children
    }

    fileprivate init?(decoding record: [UInt8]) {
        guard let json = try? JSONValue(parsing: record), json["status"] == "SUCCESS" else {
            return nil
        }
        self.init(result: json["result"] ?? .null, children: json["children"]?.arrayValue ?? [])
    }
}

extension RedisBroker {
    package func report(_ record: ResultRecord) async throws(BrokerError) {
        var call = RedisScriptCall(scripts.report, keys: [keys.result(of: record.id)])
        call.append(record.encoded())
        call.append(options.secondsKept(record.state))
        _ = try await run(call)
    }

    package func success(of id: JobID) async throws(BrokerError) -> StoredSuccess? {
        let reply = try await send(RedisCommand("GET", keys.result(of: id)))
        return reply.bytes.flatMap(StoredSuccess.init)
    }
}
