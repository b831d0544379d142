import Foundation
import JobModel
import Testing

/// Asks Python Celery's own `crontab` class.
private struct CeleryCrontab {
    struct Question: Encodable {
        let fields: [String]
        let zone: String
        /// Seconds since 1970: where the search for the next tick starts.
        let start: Int
        /// How many ticks in a row are wanted.
        var count = 1
    }

    struct Answer: Decodable {
        /// The numbers of each field, nil when Celery refuses it.
        let values: [[Int]]?
        /// Seconds since 1970 of the next ticks.
        let ticks: [Int]?
        let error: String?
    }

    private static let script = """
        import datetime, json, sys, zoneinfo
        from celery import Celery
        from celery.schedules import crontab
        apps = {}
        def app(zone):
            if zone not in apps:
                apps[zone] = Celery(set_as_current=False)
                apps[zone].conf.timezone = zone
            return apps[zone]
        def answer(q):
            m, h, dom, mon, dow = q["fields"]
            try:
                start = datetime.datetime.fromtimestamp(q["start"], zoneinfo.ZoneInfo(q["zone"]))
                now = [start]
                c = crontab(m, h, dow, dom, mon, app=app(q["zone"]), nowfun=lambda: now[0])
                values = [sorted(s) for s in
                          (c.minute, c.hour, c.day_of_month, c.month_of_year, c.day_of_week)]
                ticks = []
                for _ in range(q["count"]):
                    last, delta, _ = c.remaining_delta(now[0])
                    now[0] = last + delta
                    ticks.append(int(now[0].timestamp()))
                return {"values": values, "ticks": ticks}
            except Exception as e:
                return {"error": repr(e)}
        json.dump([answer(q) for q in json.load(sys.stdin)], sys.stdout)
        """

    static func ask(_ questions: [Question]) throws -> [Answer] {
        let answers = try TestPython.output(
            of: script, input: try JSONEncoder().encode(questions))
        return try JSONDecoder().decode([Answer].self, from: answers)
    }
}

extension TimeZone {
    /// Whether the offset changes within a day before or after `date`.
    fileprivate func changes(around date: Date) -> Bool {
        let day = 86_400.0
        return secondsFromGMT(for: date - day) != secondsFromGMT(for: date + day)
    }
}

@Suite("CronExpression against Celery")
struct CronAgainstCeleryTests {
    private func values(_ cron: CronExpression) -> [[Int]] {
        [cron.minutes, cron.hours, cron.daysOfMonth, cron.monthsOfYear, cron.daysOfWeek]
            .map(Array.init)
    }

    @Test("800 random crontabs mean the same to Celery: which numbers, and the next tick")
    func same() throws {
        let seed = UInt64.random(in: .min ... .max)
        var samples = CronSamples(seed: seed)
        let questions = (0..<800).map { number in
            CeleryCrontab.Question(
                fields: samples.fields(), zone: number % 2 == 0 ? "UTC" : "Europe/Berlin",
                start: Int.random(in: 1_700_000_000...1_900_000_000, using: &samples.random))
        }
        var accepted = 0
        var nexts = 0
        for (question, answer) in zip(questions, try CeleryCrontab.ask(questions)) {
            let subject = "seed \(seed): \(question.fields) from \(question.start)"
            guard let cron = try? CronExpression(fields: question.fields) else {
                #expect(answer.values == nil, "\(subject): only Celery reads it")
                continue
            }
            #expect(answer.values == values(cron), "\(subject): \(answer.error ?? "read")")
            accepted += 1
            let zone = try #require(TimeZone(identifier: question.zone))
            let start = Date(timeIntervalSince1970: Double(question.start))
            let schedule = Schedule.crontab(cron, zone: zone)
            let next = try #require(schedule.next(after: start), "\(subject): never fires")
            // On days when the clock changes the two differ by design: see docs/scheduling.md.
            if zone.changes(around: start) || zone.changes(around: next) { continue }
            #expect(
                answer.ticks?.first.map(Double.init) == next.timeIntervalSince1970, "\(subject)")
            nexts += 1
        }
        #expect(accepted > 700, "seed \(seed)")
        #expect(nexts > 600, "seed \(seed)")
    }

    @Test("10,000 random crontabs: the next ten ticks are those of Celery")
    func nextTen() throws {
        let zones = ["UTC", "UTC", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]
        let seed = UInt64.random(in: .min ... .max)
        var samples = CronSamples(seed: seed)
        var crontabs: [CronExpression] = []
        var questions: [CeleryCrontab.Question] = []
        while crontabs.count < 10_000 {
            let fields = samples.fields()
            guard let cron = try? CronExpression(fields: fields) else { continue }
            crontabs.append(cron)
            questions.append(
                CeleryCrontab.Question(
                    fields: fields, zone: zones[crontabs.count % zones.count],
                    start: Int.random(in: 1_700_000_000...1_900_000_000, using: &samples.random),
                    count: 10))
        }
        var whole = 0
        for (number, answer) in try CeleryCrontab.ask(questions).enumerated() {
            let question = questions[number]
            let subject =
                "seed \(seed): \(question.fields) in \(question.zone) from \(question.start)"
            let zone = try #require(TimeZone(identifier: question.zone))
            let schedule = Schedule.crontab(crontabs[number], zone: zone)
            var ticks: [Int] = []
            var date = Date(timeIntervalSince1970: Double(question.start))
            while ticks.count < question.count, let next = schedule.next(after: date) {
                // From the first day on which the clock changes the two differ by design.
                if zone.changes(around: date) || zone.changes(around: next) { break }
                ticks.append(Int(next.timeIntervalSince1970))
                date = next
            }
            #expect(answer.ticks?.prefix(ticks.count).map { $0 } == ticks, "\(subject)")
            whole += ticks.count == question.count ? 1 : 0
        }
        #expect(whole > 7000, "seed \(seed): too few were compared to the end")
    }

    @Test("a mistyped crontab is refused, or means the same to Celery")
    func mistyped() throws {
        let seed = UInt64.random(in: .min ... .max)
        var samples = CronSamples(seed: seed)
        let questions = (0..<1500).map { _ in
            var fields = samples.fields()
            let field = Int.random(in: 0..<5, using: &samples.random)
            fields[field] = samples.mutated(fields[field])
            return CeleryCrontab.Question(fields: fields, zone: "UTC", start: 1_800_000_000)
        }
        var bothRead = 0
        var bothRefused = 0
        for (question, answer) in zip(questions, try CeleryCrontab.ask(questions)) {
            guard let cron = try? CronExpression(fields: question.fields) else {
                bothRefused += answer.values == nil ? 1 : 0
                continue
            }
            #expect(
                answer.values == values(cron),
                "seed \(seed): \(question.fields): \(answer.error ?? "read")")
            bothRead += 1
        }
        #expect(bothRead > 200, "seed \(seed)")
        #expect(bothRefused > 200, "seed \(seed)")
    }
}
