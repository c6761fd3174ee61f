#include "test.h"

#include "base/queue.h"

#include <stdlib.h>

enum { PRODUCERS = 4, MESSAGES = 20000 };

struct message {
    struct queue_item item;
    int producer;
    int number;
};

struct producer {
    struct queue *queue;
    int number;
};

static void *produce(void *argument)
{
    const struct producer *producer = argument;
    for (int i = 0; i < MESSAGES; i++) {
        struct message *message = malloc(sizeof *message);
        if (message == NULL)
            abort();
        message->producer = producer->number;
        message->number = i;
        (void)queue_push(producer->queue, &message->item);
    }
    return NULL;
}

static void messages_of_each_producer_arrive_once_and_in_order(void **state)
{
    (void)state;
    struct queue queue;
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    int next[PRODUCERS] = {0};
    int received = 0;
    assert_true(queue_init(&queue));
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){&queue, i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    while (received < PRODUCERS * MESSAGES) {
        struct queue_item *item = queue_wait_all(&queue);
        while (item != NULL) {
            struct message *message = (struct message *)(void *)item;
            item = item->next;
            assert_int_equal(message->number, next[message->producer]++);
            received++;
            free(message);
        }
    }
    for (int i = 0; i < PRODUCERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_null(queue_take_all(&queue));
    queue_destroy(&queue);
}

static void the_first_message_into_an_empty_queue_is_told(void **state)
{
    (void)state;
    struct queue queue;
    struct queue_item items[3];
    assert_true(queue_init(&queue));
    assert_true(queue_push(&queue, &items[0]));
    assert_false(queue_push(&queue, &items[1]));
    assert_ptr_equal(queue_take_all(&queue), &items[0]);
    assert_ptr_equal(items[0].next, &items[1]);
    assert_null(items[1].next);
    assert_true(queue_push(&queue, &items[2]));
    queue_destroy(&queue);
}

static void a_closed_queue_gives_what_it_has_and_then_ends_waits(void **state)
{
    (void)state;
    struct queue queue;
    struct queue_item item;
    assert_true(queue_init(&queue));
    (void)queue_push(&queue, &item);
    queue_close(&queue);
    assert_ptr_equal(queue_wait_all(&queue), &item);
    assert_null(queue_wait_all(&queue));
    queue_destroy(&queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_each_producer_arrive_once_and_in_order),
        cmocka_unit_test(the_first_message_into_an_empty_queue_is_told),
        cmocka_unit_test(a_closed_queue_gives_what_it_has_and_then_ends_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
