package import JobModel
import Store

/// Every job this program can run: a plain list.
package enum AllJobs {
    /// The jobs, ready to run.
    package static func registered(_ services: JobServices) -> [RegisteredJob] {
        let pool = services.pool
        let publisher = services.publisher
        let book = PaymentBook(pool: pool, publisher: publisher)
        let resolver = AttemptResolver(gateway: services.gateway, book: book)
        let webhooks = WebhookRepository(pool: pool)
        let queue = services.webhooks
        return [
            RegisteredJob(ProcessServiceProvisioning(pool: pool, publisher: publisher)),
            RegisteredJob(
                ChargeInvoice(gateway: services.gateway, book: book, publisher: publisher)),
            RegisteredJob(ReconcilePayment(resolver: resolver, publisher: publisher)),
            RegisteredJob(GatewayEvent(resolver: resolver, publisher: publisher)),
            RegisteredJob(SweepServiceLevels(pool: pool, publisher: publisher)),
            RegisteredJob(CloseServiceLevels(pool: pool, publisher: publisher)),
            RegisteredJob(AlertOnBurn(pool: pool, publisher: publisher)),
            RegisteredJob(PublishEvent(pool: pool, events: EventRepository(), queue: queue)),
            RegisteredJob(FanOutWebhooks(webhooks: webhooks, queue: queue)),
            RegisteredJob(DeliverWebhook(webhooks: webhooks, sender: services.sender)),
            RegisteredJob(SweepWebhooks(webhooks: webhooks, queue: queue)),
            RegisteredJob(
                PruneEffects(
                    ledger: PostgresEffectLedger(pool: pool), age: services.keeps.effects)),
            RegisteredJob(
                ApplyRetention(
                    repository: RetentionRepository(pool: pool),
                    effects: PostgresEffectLedger(pool: pool), keeps: services.keeps)),
        ]
    }

    /// Where each of them goes unless told otherwise, for whoever enqueues by name.
    package static let queues: [JobName: QueueName] = [
        ProcessServiceProvisioning.name: ProcessServiceProvisioning.policy.queue,
        ChargeInvoice.name: ChargeInvoice.policy.queue,
        ReconcilePayment.name: ReconcilePayment.policy.queue,
        GatewayEvent.name: GatewayEvent.policy.queue,
        SweepServiceLevels.name: SweepServiceLevels.policy.queue,
        CloseServiceLevels.name: CloseServiceLevels.policy.queue,
        AlertOnBurn.name: AlertOnBurn.policy.queue,
        PublishEvent.name: PublishEvent.policy.queue,
        FanOutWebhooks.name: FanOutWebhooks.policy.queue,
        DeliverWebhook.name: DeliverWebhook.policy.queue,
        SweepWebhooks.name: SweepWebhooks.policy.queue,
        PruneEffects.name: PruneEffects.policy.queue,
        ApplyRetention.name: ApplyRetention.policy.queue,
    ]
}
