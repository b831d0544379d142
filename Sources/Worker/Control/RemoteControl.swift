import Broker
import Foundation
import JobModel
import Logging
import Mailbox

/// Hears commands that are broadcast to the workers, carries out those that are meant for this one,
/// and answers.
///
/// Commands are carried out in the order they came, but one that takes longer than `patience` lets
/// the next begin, so that a slow one holds nobody up. Whatever comes, it never fails.
final class RemoteControl: Sendable {
    /// How long the next command waits for the one before.
    static let patience = Duration.milliseconds(250)
    /// The most commands under way; beyond, the next wait.
    static let maximumRunning = 16
    /// How long after its own end a request is carried out all the same, because clocks differ.
    static let clockTolerance = 60.0

    private let site: ControlSite
    private let limits: WireLimits
    private let running = Locked(0)

    init(_ site: ControlSite) {
        self.site = site
        limits = site.options.limits
    }

    /// Listens until cancelled.
    func run() async {
        let inbox = site.broker.controlInbox()
        var dropped = 0
        await withDiscardingTaskGroup { group in
            while let payload = await inbox.next() {
                if inbox.dropped > dropped {
                    site.logger.warning(
                        "commands were dropped; more came than can be carried out",
                        metadata: [LogKey.count: "\(inbox.dropped - dropped)"])
                    dropped = inbox.dropped
                }
                guard let request = read(payload) else { continue }
                let done = Signal()
                running.withLock { $0 += 1 }
                group.addTask {
                    await self.handle(request)
                    self.running.withLock { $0 -= 1 }
                    done.raise()
                }
                await done.wait(upTo: Self.patience)
                while running.withLock({ $0 }) >= Self.maximumRunning, !Task.isCancelled {
                    try? await Task.sleep(for: Self.patience)
                }
            }
        }
        await inbox.close()
    }

    /// The request, if it can be read and is meant for this worker.
    func read(_ payload: [UInt8]) -> ControlRequest? {
        let request: ControlRequest
        do throws(MessageError) {
            request = try ControlRequest(decoding: payload, limits: limits)
        } catch {
            site.logger.warning(
                "a command cannot be read",
                metadata: [
                    LogKey.errorCode: "\(error.code)", LogKey.errorMessage: "\(error.message)",
                ])
            return nil
        }
        site.ports.clock.receive(request.clock)
        guard request.isMeant(for: site.node) else { return nil }
        if let expires = request.expires,
            expires.addingTimeInterval(Self.clockTolerance) < site.time.now
        {
            site.logger.debug(
                "a command came too late", metadata: [LogKey.command: "\(request.method)"])
            return nil
        }
        return request
    }

    private func handle(_ request: ControlRequest) async {
        let answer = await answer(to: request)
        guard let answer, let address = request.replyAddress else { return }
        let reply = ControlReply(
            answer, by: site.node, to: address, ticket: request.ticket,
            clock: site.ports.clock.next())
        do throws(BrokerError) {
            guard try await !site.broker.send(reply) else { return }
            site.logger.debug(
                "nobody waits for the answer", metadata: [LogKey.command: "\(request.method)"])
        } catch {
            site.logger.debug(
                "an answer could not be sent",
                metadata: [
                    LogKey.command: "\(request.method)", LogKey.errorMessage: "\(error)",
                ])
        }
    }

    /// What the worker says to a request; nil when it says nothing.
    func answer(to request: ControlRequest) async -> JSONValue? {
        guard let command = ControlCommand.all[request.method] else {
            site.logger.warning(
                "a command is not known", metadata: [LogKey.command: "\(request.method)"])
            return .error("KeyError(\(JSONValue.string(request.method).pythonText))")
        }
        if command.kind == .change {
            site.logger.notice(
                "told by remote control", metadata: [LogKey.command: "\(request.method)"])
        }
        let arguments = ControlArguments(method: request.method, members: request.arguments)
        do {
            return try await command.body(arguments, site)
        } catch let error as ControlFailure {
            return .error(error.text)
        } catch let error as BrokerError {
            return .error(ControlFailure("OperationalError", "\(error)").text)
        } catch {
            return .error(ControlFailure("RuntimeError", "\(error)").text)
        }
    }
}
