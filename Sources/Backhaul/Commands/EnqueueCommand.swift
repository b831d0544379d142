import ArgumentParser
import Broker
import Enqueue
import Foundation
import JobModel

/// `backhaul enqueue`: puts one job on a queue, or a whole workflow.
struct EnqueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Put one job or a workflow on a queue, for Swift and Python workers.",
        discussion: """
            Prints the id of the job; of a workflow, the id under which its result will be.

            Examples:
              backhaul enqueue isp_framework.process_service_provisioning --args '[42]'
              backhaul enqueue payments.charge_invoice --kwargs '{"invoice_id": 7}'
              backhaul enqueue sla.sweep --queue sla --countdown 60 --priority 9
              backhaul enqueue backhaul.ping --expires 30
              backhaul enqueue backhaul.ping --count 100000 --countdown 600
              backhaul enqueue --canvas workflow.json

            A workflow is a signature in Celery's JSON form, as json.dumps(chain(...))
            prints it.
            """)

    @Argument(help: "The job's name, as Celery knows it.")
    var job: String?

    @Option(help: ArgumentHelp("Send the signature in this file instead.", valueName: "FILE"))
    var canvas: String?

    @Option(help: ArgumentHelp("Positional arguments.", valueName: "JSON array"))
    var args = "[]"

    @Option(help: ArgumentHelp("Keyword arguments.", valueName: "JSON object"))
    var kwargs = "{}"

    @Option(help: "The queue; the job's own when this program knows it, else celery.")
    var queue: String?

    @Option(help: "0 is the most urgent, 9 the least.")
    var priority: Int?

    @Option(
        help: ArgumentHelp("Run no sooner than this many seconds from now.", valueName: "seconds"))
    var countdown: Double?

    @Option(
        help: ArgumentHelp(
            "Do not run later than this many seconds from now.", valueName: "seconds"))
    var expires: Double?

    @Option(help: "The job's id; a fresh UUID without it.")
    var id: String?

    @Option(
        help: ArgumentHelp(
            "The same job so many times, each with an id of its own; prints how many, not the ids.",
            valueName: "n"))
    var count = 1

    @OptionGroup var shared: SharedOptions

    /// The most jobs that one command enqueues.
    private static let maximumCount = 10_000_000
    /// Jobs sent in one call when there are many.
    private static let portion = 2000

    func validate() throws {
        guard (1...Self.maximumCount).contains(count) else {
            throw ValidationError("--count must be 1 to \(Self.maximumCount), not \(count)")
        }
        guard count == 1 || (id == nil && canvas == nil) else {
            throw ValidationError("--count is for a single job without an --id")
        }
        switch (job, canvas) {
        case (nil, nil): throw ValidationError("name a job, or a file with --canvas")
        case (_?, _?): throw ValidationError("name a job or --canvas, not both")
        case (nil, _?):
            let isPlain = args == "[]" && kwargs == "{}" && queue == nil && priority == nil
            guard isPlain, countdown == nil, expires == nil, id == nil else {
                throw ValidationError("with --canvas, the file says everything about its jobs")
            }
        case (_?, nil): break
        }
    }

    func run() async throws {
        let settings = try shared.load()
        let send = try canvas.map(workflow(in:)) ?? job(named: job ?? "")
        let broker = try Composition(settings).broker()
        let enqueuer = Enqueuer(broker: broker, rules: BuiltInJobs.canvasRules)
        do throws(EnqueueError) {
            print(try await send(enqueuer))
        } catch {
            await broker.close()
            throw CommandFailure(
                "nothing could be enqueued: \(error)",
                advice: error.code == .canvas || error.code == .limit
                    ? "the workflow must change" : "check REDIS_URL, then run `backhaul doctor`")
        }
        await broker.close()
    }

    /// Sends something and says what to print.
    private typealias Sending = @Sendable (Enqueuer) async throws(EnqueueError) -> String

    private func job(named name: String) throws -> Sending {
        let options = try enqueueOptions(now: SystemTime().now)
        let (args, kwargs) = try arguments()
        guard count > 1 else {
            return { enqueuer throws(EnqueueError) in
                try await enqueuer.enqueue(
                    JobName(name), args: args, kwargs: kwargs, options
                ).text
            }
        }
        return { [count] enqueuer throws(EnqueueError) in
            var left = count
            while left > 0 {
                let some = min(left, Self.portion)
                _ = try await enqueuer.enqueue(
                    JobName(name), args: args, kwargs: kwargs,
                    each: Array(repeating: options, count: some))
                left -= some
            }
            return "enqueued \(count) jobs"
        }
    }

    private func workflow(in path: String) throws -> Sending {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("--canvas: \(path) cannot be read")
        }
        let signature: Signature
        do {
            signature = try Signature(json: try JSONValue(parsing: Array(data)))
        } catch {
            throw ValidationError("--canvas: \(path) holds no signature: \(error)")
        }
        return { enqueuer throws(EnqueueError) in try await enqueuer.apply(signature).id.text }
    }

    private func enqueueOptions(now: Date) throws -> EnqueueOptions {
        var options = EnqueueOptions()
        if let queue {
            do { options.queue = try QueueName(queue) } catch {
                throw ValidationError("--queue: \(error)")
            }
        } else {
            options.queue = job.flatMap { BuiltInJobs.queues[JobName($0)] }
        }
        if let priority {
            guard (0...9).contains(priority) else {
                throw ValidationError("--priority must be 0 to 9, not \(priority)")
            }
            options.priority = Priority(priority)
        }
        if let countdown {
            guard countdown >= 0, countdown.isFinite else {
                throw ValidationError("--countdown must be zero or more seconds")
            }
            // One moment for all of them.
            options.at = now.addingTimeInterval(countdown)
        }
        if let expires {
            guard expires > 0, expires.isFinite else {
                throw ValidationError("--expires must be more than zero seconds")
            }
            options.expires = now.addingTimeInterval(expires)
        }
        if let id {
            guard !id.isEmpty else { throw ValidationError("--id must not be empty") }
            options.id = JobID(id)
        }
        return options
    }

    private func arguments() throws -> ([JSONValue], JSONObject) {
        guard case .array(let args) = try parse(args, flag: "--args") else {
            throw ValidationError("--args must be a JSON array, such as '[42]'")
        }
        guard case .object(let kwargs) = try parse(kwargs, flag: "--kwargs") else {
            throw ValidationError("--kwargs must be a JSON object, such as '{\"service_id\": 42}'")
        }
        return (args, kwargs)
    }

    private func parse(_ text: String, flag: String) throws -> JSONValue {
        do { return try JSONValue(parsing: Array(text.utf8)) } catch {
            throw ValidationError("\(flag) is not JSON: \(error)")
        }
    }
}
