package import Foundation
package import JobModel
import Redis

/// What operators do to jobs that wait for their time. Each job is dealt with in one step that asks
/// whether it still waits as it was read, so that promoters may be at work meanwhile.
extension RedisBroker {
    /// Jobs changed in one script at most, and the bytes of their messages, the last one excepted.
    private static let changedEachCall = 100
    private static let changedBytesEachCall = 1024 * 1024
    /// How often a job is read again that somebody changed in between.
    private static let maximumReadings = 5
    /// Names looked at in one command when a job is not where its id says.
    private static let namesEachScan = 5000
    /// The names under which the jobs of one id are looked for; `aside.lua` gives them.
    private static let twins = 8

    /// Reads the jobs that wait, in the order of their due time, from the first one or from `place`.
    package func scanDelayed(
        _ filter: DelayedFilter = DelayedFilter(), after place: DelayedPlace? = nil
    ) -> DelayedScan {
        DelayedScan(self, filter, after: place)
    }

    /// The jobs of these ids that wait for their time, in the order of the ids.
    ///
    /// A job is found under its id at once, however many wait. The names of all are read for ids
    /// that are not, because older versions gave other names.
    package func delayedJobs(_ ids: [JobID]) async throws(BrokerError) -> [DelayedJob] {
        var found: [JobID: [DelayedJob]] = [:]
        for start in stride(from: 0, to: ids.count, by: Self.changedEachCall) {
            let some = ids[start..<min(start + Self.changedEachCall, ids.count)]
            let names = some.flatMap { id in
                [id.text] + (1..<Self.twins).map { "\(id.text)/\($0)" }
            }
            for job in try await delayedJobs(named: names) {
                if let id = job.message?.id { found[id, default: []].append(job) }
            }
        }
        let missing = Set(ids.filter { found[$0] == nil })
        if !missing.isEmpty {
            for job in try await delayedJobs(named: try await olderNames(of: missing)) {
                if let id = job.message?.id { found[id, default: []].append(job) }
            }
        }
        var seen: Set<JobID> = []
        return ids.flatMap { id in seen.insert(id).inserted ? found[id] ?? [] : [] }
    }

    /// The jobs that still wait under these names, in the order of the names.
    package func delayedJobs(named names: [String]) async throws(BrokerError) -> [DelayedJob] {
        var jobs: [DelayedJob] = []
        for start in stride(from: 0, to: names.count, by: DelayedScan.step) {
            let some = Array(names[start..<min(start + DelayedScan.step, names.count)])
            let replies = try await pipeline([
                RedisCommand("HMGET", [keys.delayedMessages] + some),
                RedisCommand("ZMSCORE", [keys.delayed] + some),
            ])
            for reply in replies {
                if case .error(let error) = reply { throw BrokerError(error) }
            }
            let (records, dues) = (replies[0].array ?? [], replies[1].array ?? [])
            for (name, (record, due)) in zip(some, zip(records, dues)) {
                guard let record = record.bytes, let due = due.string.flatMap(Double.init)
                else { continue }
                let place = DelayedPlace(due: Int64(due), member: name)
                if let job = DelayedJob(place, record: record, keys: keys) { jobs.append(job) }
            }
        }
        return jobs
    }

    private func olderNames(of ids: Set<JobID>) async throws(BrokerError) -> [String] {
        let pattern =
            ids.count == 1 ? ids.map { RedisKeys.escaped($0.text) + "/*" }[0] : "*/*"
        var names: [String] = []
        var cursor = "0"
        repeat {
            let page = try await send(
                RedisCommand(
                    "ZSCAN", keys.delayed, cursor, "MATCH", pattern, "COUNT", Self.namesEachScan))
            guard let parts = page.array, parts.count == 2, let next = parts[0].string,
                let items = parts[1].array
            else { throw BrokerError.unexpected("ZSCAN") }
            for place in stride(from: 0, to: items.count - 1, by: 2) {
                guard let name = items[place].string, let slash = name.lastIndex(of: "/"),
                    ids.contains(JobID(String(name[..<slash])))
                else { continue }
                names.append(name)
            }
            cursor = next
        } while cursor != "0"
        return names
    }

    // MARK: Changes

    /// Gives jobs another time, each what `due` says; the `eta` in the message follows.
    ///
    /// The answers are in the order of the jobs.
    package func reschedule(
        _ jobs: [DelayedJob], to due: @Sendable (DelayedJob) -> Date
    ) async throws(BrokerError) -> [DelayedAnswer] {
        try await change(jobs, counting: .rescheduled) { job in
            let date = due(job)
            return (max(1, date.milliseconds), date)
        }
    }

    /// Puts jobs on their lists at once, without an `eta`.
    ///
    /// The answers are in the order of the jobs.
    package func runNow(_ jobs: [DelayedJob]) async throws(BrokerError) -> [DelayedAnswer] {
        try await change(jobs, counting: .runNow) { _ in (0, nil) }
    }

    /// Ends jobs as revoked: their callers are told, and the chords they are part of, as when a
    /// worker finds a job revoked.
    ///
    /// The answers are in the order of the jobs.
    package func cancel(_ jobs: [DelayedJob]) async throws(BrokerError) -> [DelayedAnswer] {
        try await again(jobs) { jobs throws(BrokerError) in
            var answers: [DelayedAnswer] = []
            for start in stride(from: 0, to: jobs.count, by: Self.changedEachCall) {
                let some = jobs[start..<min(start + Self.changedEachCall, jobs.count)]
                answers += try await self.annul(Array(some))
            }
            return answers
        }
    }

    /// Deals with all; those that were changed since they were read are read again.
    private func again(
        _ jobs: [DelayedJob],
        _ body: ([DelayedJob]) async throws(BrokerError) -> [DelayedAnswer]
    ) async throws(BrokerError) -> [DelayedAnswer] {
        var answers = try await body(jobs)
        for _ in 1..<Self.maximumReadings {
            let changed = jobs.indices.filter { answers[$0] == .changed }
            if changed.isEmpty { break }
            let fresh = try await delayedJobs(named: changed.map { jobs[$0].place.member })
            let byName = Dictionary(
                fresh.map { ($0.place.member, $0) }, uniquingKeysWith: { first, _ in first })
            // Another job may have the name by now.
            let same = changed.filter { index in
                let now = byName[jobs[index].place.member]
                return now != nil && now?.message?.id == jobs[index].message?.id
            }
            for index in changed where !same.contains(index) { answers[index] = .gone }
            let next = try await body(same.compactMap { byName[jobs[$0].place.member] })
            for (index, answer) in zip(same, next) { answers[index] = answer }
        }
        return answers
    }

    private func change(
        _ jobs: [DelayedJob], counting counter: DelayedCounter,
        _ wish: @Sendable (DelayedJob) -> (due: Int64, eta: Date?)
    ) async throws(BrokerError) -> [DelayedAnswer] {
        let now = time.now
        return try await again(jobs) { jobs throws(BrokerError) in
            var answers = [DelayedAnswer](repeating: .unreadable, count: jobs.count)
            var calls: [(call: RedisScriptCall, positions: [Int], bytes: Int)] = []
            for (position, job) in jobs.enumerated() {
                let (due, eta) = wish(job)
                guard let message = Self.message(of: job, eta: eta, now: now) else { continue }
                let last = calls.last
                if last == nil || last?.positions.count == Self.changedEachCall
                    || (last?.bytes ?? 0) >= Self.changedBytesEachCall
                {
                    var call = RedisScriptCall(
                        self.scripts.reschedule,
                        keys: [self.keys.delayed, self.keys.delayedMessages, self.keys.counters])
                    call.append(counter.rawValue)
                    calls.append((call, [], 0))
                }
                calls[calls.count - 1].call.append(job.place.member)
                calls[calls.count - 1].call.append(job.record)
                calls[calls.count - 1].call.append(due)
                calls[calls.count - 1].call.append(job.list)
                calls[calls.count - 1].call.append(message)
                calls[calls.count - 1].positions.append(position)
                calls[calls.count - 1].bytes += message.count
            }
            for (call, positions, _) in calls {
                guard let replies = try await self.run(call).array,
                    replies.count == positions.count
                else { throw BrokerError.unexpected("reschedule") }
                for (position, reply) in zip(positions, replies) {
                    answers[position] = DelayedAnswer(reply.int)
                }
            }
            return answers
        }
    }

    /// The envelope with another `eta`; one that cannot be read is run as it is, and not put off.
    private static func message(of job: DelayedJob, eta: Date?, now: Date) -> [UInt8]? {
        guard let message = job.message else { return eta == nil ? job.raw : nil }
        return try? message.retried(retries: message.retries, eta: eta, adding: nil, at: now)
    }

    private func annul(_ jobs: [DelayedJob]) async throws(BrokerError) -> [DelayedAnswer] {
        let now = time.now
        var calls: [RedisScriptCall] = []
        var effects: [Effects] = []
        for job in jobs {
            let end = DelayedRevocation(of: job, options: options, at: now)
            let follows = Effects(end.aftermath, origin: options.origin)
            var call = RedisScriptCall(
                scripts.annul, keys: Effects.keys(keys) + [keys.counters],
                reserving: job.record.count + 1024)
            call.append(job.place.member)
            call.append(job.record)
            call.append(end.result.map { keys.result(of: $0.id) } ?? "")
            call.append(end.result?.encoded() ?? [])
            call.append(DelayedCounter.cancelled.rawValue)
            follows.append(to: &call, self, state: .revoked)
            calls.append(call)
            effects.append(follows)
        }
        var answers: [DelayedAnswer] = []
        for (reply, follows) in zip(try await pipeline(calls), effects) {
            if case .error(let error) = reply { throw BrokerError(error) }
            guard let parts = reply.array, let held = parts.first?.int else {
                throw BrokerError.unexpected("annul")
            }
            answers.append(DelayedAnswer(held))
            if held == 1 { await endAtOnce(follows.claims(parts.dropFirst())) }
        }
        return answers
    }
}

/// What is counted of jobs that waited, for ever; fields of the counters' hash.
package enum DelayedCounter: String, Sendable {
    case cancelled = "delayed.cancelled"
    case rescheduled = "delayed.rescheduled"
    case runNow = "delayed.run_now"
}

extension DelayedAnswer {
    /// As the scripts say it.
    init(_ number: Int?) {
        switch number {
        case 1: self = .done
        case 0: self = .gone
        case -2: self = .noList
        default: self = .changed
        }
    }
}
