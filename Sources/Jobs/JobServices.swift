package import HTTP
package import Postgres

/// What the jobs of this program need, made once by whoever composes it.
package struct JobServices: Sendable {
    package let pool: PostgresPool
    package let publisher: EventPublisher
    package let gateway: PaymentGateway
    /// For webhooks: guarded, and with small answers.
    package let sender: HTTPSender
    package let webhooks: WebhookQueue
    /// How long it is known that a job took effect.
    package let effectsKept: Duration

    /// Puts the services together.
    package init(
        pool: PostgresPool, publisher: EventPublisher, gateway: PaymentGateway,
        sender: HTTPSender, webhooks: WebhookQueue, effectsKept: Duration
    ) {
        self.pool = pool
        self.publisher = publisher
        self.gateway = gateway
        self.sender = sender
        self.webhooks = webhooks
        self.effectsKept = effectsKept
    }
}
